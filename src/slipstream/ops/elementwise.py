"""Functions of each element."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.kernels.curves import curve
from slipstream.ops.define import Function, as_float, unary

op = operation("numpy")


def _floating(name: str, function: Function, doc: str, home: str = "numpy") -> Function:
    """An operation whose result is a float for whole numbers too."""
    return unary(name, lambda x: function(as_float(x)), doc, home)


absolute = unary("absolute", jnp.absolute, "Magnitude.")
abs = absolute
negative = unary("negative", jnp.negative, "``-x``.")
sign = unary("sign", jnp.sign, "-1, 0 or 1.")
signbit = unary("signbit", jnp.signbit, "Whether the sign bit is set, as for ``-0.0``.")
square = unary("square", jnp.square, "``x ** 2``.")
sqrt = _floating("sqrt", jnp.sqrt, "Square root.")
rsqrt = _floating("rsqrt", jax.lax.rsqrt, "``1 / sqrt(x)``.", "math")
cbrt = _floating("cbrt", jnp.cbrt, "Cube root.")
reciprocal = _floating("reciprocal", jnp.reciprocal, "``1 / x``.")
fabs = _floating("fabs", jnp.fabs, "Magnitude, as a float.")

exp = _floating("exp", jnp.exp, "``e ** x``.")
exp2 = _floating("exp2", jnp.exp2, "``2 ** x``.")
expm1 = _floating("expm1", jnp.expm1, "``exp(x) - 1``, accurate near 0.")
log = _floating("log", jnp.log, "Natural logarithm.")
log2 = _floating("log2", jnp.log2, "Logarithm to base 2.")
log10 = _floating("log10", jnp.log10, "Logarithm to base 10.")
log1p = _floating("log1p", jnp.log1p, "``log(1 + x)``, accurate near 0.")

sin = _floating("sin", jnp.sin, "Sine of radians.")
cos = _floating("cos", jnp.cos, "Cosine of radians.")
tan = _floating("tan", jnp.tan, "Tangent of radians.")
arcsin = _floating("arcsin", jnp.arcsin, "Inverse sine, in radians.")
arccos = _floating("arccos", jnp.arccos, "Inverse cosine, in radians.")
arctan = _floating("arctan", jnp.arctan, "Inverse tangent, in radians.")
sinh = _floating("sinh", jnp.sinh, "Hyperbolic sine.")
cosh = _floating("cosh", jnp.cosh, "Hyperbolic cosine.")
tanh = _floating("tanh", partial(curve, "tanh"), "Hyperbolic tangent.")
arcsinh = _floating("arcsinh", jnp.arcsinh, "Inverse hyperbolic sine.")
arccosh = _floating("arccosh", jnp.arccosh, "Inverse hyperbolic cosine.")
arctanh = _floating("arctanh", jnp.arctanh, "Inverse hyperbolic tangent.")
deg2rad = _floating("deg2rad", jnp.deg2rad, "Degrees to radians.")
rad2deg = _floating("rad2deg", jnp.rad2deg, "Radians to degrees.")
sinc = _floating("sinc", jnp.sinc, "``sin(pi x) / (pi x)``, 1 at 0.")

erf = _floating("erf", jax.lax.erf, "Error function.", "math")
erfc = _floating("erfc", jax.lax.erfc, "``1 - erf(x)``, accurate for large `x`.", "math")
erfinv = _floating("erfinv", jax.lax.erf_inv, "Inverse of `erf`.", "math")
i0 = _floating("i0", jnp.i0, "Modified Bessel function of the first kind, order 0.")

floor = _floating("floor", jnp.floor, "Largest whole number at most `x`, as a float.")
ceil = _floating("ceil", jnp.ceil, "Smallest whole number at least `x`, as a float.")
trunc = unary("trunc", jnp.trunc, "Whole part, rounded towards 0.")

angle = _floating("angle", jnp.angle, "Argument of a complex number, in radians.")
real = unary("real", jnp.real, "Real part.")
imag = unary("imag", jnp.imag, "Imaginary part.")
conjugate = unary("conjugate", jnp.conjugate, "Complex conjugate.")
conj = conjugate

isfinite = unary("isfinite", jnp.isfinite, "Whether neither infinite nor NaN.")
isinf = unary("isinf", jnp.isinf, "Whether infinite.")
isnan = unary("isnan", jnp.isnan, "Whether NaN.")
isneginf = unary("isneginf", jnp.isneginf, "Whether minus infinity.")
isposinf = unary("isposinf", jnp.isposinf, "Whether plus infinity.")
isreal = unary("isreal", jnp.isreal, "Whether the imaginary part is 0.")

copy = unary("copy", lambda x: jnp.array(x, copy=True), "The same values in memory of their own.")


@op
def round(x: Array, decimals: int = 0) -> Any:
    """Nearest number with so many `decimals`; halves go to the even one."""
    return jnp.round(jnp.asarray(x), decimals)


@op
def clip(x: Array, x_min: Any, x_max: Any) -> Any:
    """`x`, not below `x_min` and not above `x_max`."""
    x = jnp.asarray(x)
    return jnp.clip(x, x_min, x_max)


@op
def nan_to_num(
    x: Array, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """`x` with NaN and infinities replaced: by 0 and by the type's largest numbers by default."""
    return jnp.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
