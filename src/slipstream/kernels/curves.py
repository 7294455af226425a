"""Functions of one number that take an exponential, each element of an array by itself.

XLA computes them with a few numbers at a time, and `log1p` by two ways of which it keeps one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native

# Elements; of fewer, XLA is no slower, which computes them together with what is beside them.
_LEAST = {"gelu": 1, "gelu_tanh": 1, "softplus": 2**11, "log_sigmoid": 2**11, "mish": 2**11}
_LEAST |= {"silu": 2**15, "elu": 2**15, "sigmoid": 2**17, "tanh": 2**17}


def curve(kind: str, x: Any) -> Any:
    """An activation of floats of any shape.

    Args:
        kind: ``"gelu"``, ``"gelu_tanh"``, ``"sigmoid"``, ``"tanh"``, ``"silu"``, ``"softplus"``,
            ``"log_sigmoid"`` or ``"mish"``.
        x: array of floats.
    """
    return _curve(x, kind=kind, right=1.0, left=1.0, inner=1.0)[0]


def elu(x: Any, right: Any = 1.0, left: Any = 1.0, inner: Any = 1.0) -> Any:
    """``right * x`` above 0, ``left * (exp(inner * x) - 1)`` below, of floats of any shape.

    The three are numbers; arrays, which may be trained, take the plain form.
    """
    if not all(isinstance(each, Real) for each in (right, left, inner)):
        return _plain_elu(x, right, left, inner)
    return _curve(x, kind="elu", right=float(right), left=float(left), inner=float(inner))[0]


def _plain_elu(x: Any, right: Any, left: Any, inner: Any) -> Any:
    return jnp.where(x > 0, right * x, left * jnp.expm1(inner * jnp.where(x > 0, 0.0, x)))


def _plain_softplus(x: Any) -> Any:
    # Not `maximum` and `abs`: their slopes at exactly 0 do not add up to the right one.
    positive = x > 0
    return jnp.where(positive, x, 0) + jnp.log1p(jnp.exp(jnp.where(positive, -x, x)))


_PLAIN: dict[str, Callable[[Any], Any]] = {
    "gelu": partial(jax.nn.gelu, approximate=False),
    "gelu_tanh": partial(jax.nn.gelu, approximate=True),
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
    "softplus": _plain_softplus,
    "log_sigmoid": lambda x: -_plain_softplus(-x),
    "mish": jax.nn.mish,
}
# Slopes that follow from the value, which is kept anyway.
_SLOPES = {"sigmoid": lambda y: y * (1 - y), "tanh": lambda y: 1 - y * y}


def _reference(x: Any, *, kind: str, **elu: Any) -> Any:
    # The slope is saved for the compiled gradient only; the plain one differentiates.
    y = _plain_elu(x, **elu) if kind == "elu" else _PLAIN[kind](x)
    return (y,), (y if kind in _SLOPES else jnp.zeros_like(x),)


def _compiled(x: Any, *, save: bool, kind: str, **elu: Any) -> Any:
    result = jax.ShapeDtypeStruct(x.shape, x.dtype)
    if save and kind not in _SLOPES:
        return native.call("curve_saving", [result, result], x, kind=kind, **elu)
    y = native.call("curve", result, x, kind=kind, **elu)
    return (y, y) if save else (y,)


def _gradient(arrays: Any, saved: Any, cotangents: Any, *, kind: str, **elu: Any) -> Any:
    slope = _SLOPES[kind](saved[0]) if kind in _SLOPES else saved[0]
    return (slope * cotangents[0],)


def _supports(x: Any, *, kind: str, **elu: Any) -> bool:
    return forms.floats(x) and x.size >= _LEAST[kind]


_curve = forms.differentiable(
    "curve", _reference, _compiled, _gradient, _supports, inputs=1, quick=True
)
