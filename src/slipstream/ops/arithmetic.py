"""Arithmetic of two arrays, broadcast."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.ops.define import as_float, binary


def _quotient_or_zero(x1: Any, x2: Any) -> Any:
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    safe = jnp.where(x2 == 0, jnp.ones_like(x2), x2)
    quotient = jnp.true_divide(x1, safe)
    return jnp.where(x2 == 0, jnp.zeros_like(quotient), quotient)


def _step(x1: Any, x2: Any) -> Any:
    dtype: Any = jnp.result_type(x1, x2)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = config.floatx()
    return jnp.heaviside(jnp.asarray(x1, dtype), jnp.asarray(x2, dtype))


add = binary("add", jnp.add, "``x1 + x2``.")
subtract = binary("subtract", jnp.subtract, "``x1 - x2``.")
multiply = binary("multiply", jnp.multiply, "``x1 * x2``.")
divide = binary("divide", jnp.true_divide, "``x1 / x2``; whole numbers give floats.")
true_divide = binary("true_divide", jnp.true_divide, "``x1 / x2``; whole numbers give floats.")
divide_no_nan = binary("divide_no_nan", _quotient_or_zero, "``x1 / x2``, or 0 where `x2` is 0.")
floor_divide = binary("floor_divide", jnp.floor_divide, "``x1 / x2``, rounded down.")
mod = binary("mod", jnp.mod, "Remainder of `floor_divide`, with the sign of `x2`.")
fmod = binary("fmod", jnp.fmod, "Remainder of division rounded towards 0; the sign of `x1`.")
power = binary("power", jnp.power, "``x1 ** x2``.")

maximum = binary("maximum", jnp.maximum, "The larger of two; NaN if one is.")
minimum = binary("minimum", jnp.minimum, "The smaller of two; NaN if one is.")
fmax = binary("fmax", jnp.fmax, "The larger of two; a NaN loses to a number.")
fmin = binary("fmin", jnp.fmin, "The smaller of two; a NaN loses to a number.")

arctan2 = binary("arctan2", jnp.arctan2, "Angle of the point ``(x2, x1)``, in radians.")
hypot = binary("hypot", jnp.hypot, "``sqrt(x1 ** 2 + x2 ** 2)``.")
logaddexp = binary("logaddexp", jnp.logaddexp, "``log(exp(x1) + exp(x2))``.")
logaddexp2 = binary("logaddexp2", jnp.logaddexp2, "``log2(2 ** x1 + 2 ** x2)``.")
heaviside = binary("heaviside", _step, "0 where `x1` is negative, 1 where positive, `x2` where 0.")
nextafter = binary(
    "nextafter",
    lambda x1, x2: jnp.nextafter(as_float(x1), as_float(x2)),
    "The float next to `x1` on the way to `x2`.",
)
ldexp = binary("ldexp", jnp.ldexp, "``x1 * 2 ** x2``.")
gcd = binary("gcd", jnp.gcd, "Greatest common divisor.")
lcm = binary("lcm", jnp.lcm, "Least common multiple.")
