"""Activation functions: each element by itself, or along an axis, in the input's float type."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.kernels import curves
from slipstream.kernels import softmax as kernels
from slipstream.ops.define import Function, as_axis, as_float, unary

op = operation("nn")


def _curve(name: str, doc: str) -> Function:
    return _plain(name, partial(curves.curve, name), doc)


def _plain(name: str, function: Function, doc: str) -> Function:
    return unary(name, lambda x: function(as_float(x)), doc, "nn")


# Klambauer et al. 2017, appendix 1.
_ALPHA, _SCALE = 1.6732632423543772, 1.0507009873554805

relu = unary("relu", lambda x: jax.nn.relu(jnp.asarray(x)), "``max(x, 0)``.", "nn")
relu6 = _plain("relu6", jax.nn.relu6, "``min(max(x, 0), 6)`` (Krizhevsky 2010).")
selu = _plain(
    "selu",
    partial(curves.elu, right=_SCALE, left=_SCALE * _ALPHA),
    "`elu` scaled so that activations normalise themselves (Klambauer et al. 2017).",
)
sigmoid = _curve("sigmoid", "``1 / (1 + exp(-x))``.")
hard_sigmoid = _plain("hard_sigmoid", jax.nn.hard_sigmoid, "``x / 6 + 1 / 2`` between 0 and 1.")
sparse_sigmoid = _plain("sparse_sigmoid", jax.nn.sparse_sigmoid, "``(x + 1) / 2`` between 0 and 1.")
log_sigmoid = _curve(
    "log_sigmoid",
    "Logarithm of the sigmoid, accurate where the sigmoid itself is 0.",
)
silu = _curve("silu", "``x * sigmoid(x)`` (Elfwing et al. 2018; Ramachandran et al. 2017).")
swish = silu
hard_silu = _plain("hard_silu", jax.nn.hard_silu, "``x * hard_sigmoid(x)`` (Howard et al. 2019).")
hard_swish = hard_silu
mish = _curve("mish", "``x * tanh(softplus(x))`` (Misra 2020).")
hard_tanh = _plain("hard_tanh", jax.nn.hard_tanh, "`x` between -1 and 1.")
tanh_shrink = _plain("tanh_shrink", lambda x: x - curves.curve("tanh", x), "``x - tanh(x)``.")
softplus = _curve("softplus", "``log(1 + exp(x))``.")
sparse_plus = _plain(
    "sparse_plus", jax.nn.sparse_plus, "0 below -1, `x` above 1, ``(x + 1) ** 2 / 4`` between."
)
softsign = _plain("softsign", jax.nn.soft_sign, "``x / (1 + abs(x))``.")


@op
def leaky_relu(x: Array, negative_slope: float = 0.2) -> Any:
    """`x` above 0, ``negative_slope * x`` below (Maas et al. 2013)."""
    return jax.nn.leaky_relu(as_float(x), negative_slope)


@op
def elu(x: Array, alpha: float = 1.0) -> Any:
    """`x` above 0, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016)."""
    return curves.elu(as_float(x), left=alpha)


@op
def celu(x: Array, alpha: float = 1.0) -> Any:
    """`x` above 0, ``alpha * (exp(x / alpha) - 1)`` below (Barron 2017)."""
    return curves.elu(as_float(x), left=alpha, inner=1 / alpha)


@op
def gelu(x: Array, approximate: bool = True) -> Any:
    """`x` times the normal distribution function of `x` (Hendrycks & Gimpel 2016).

    Args:
        approximate: use the tanh approximation.
    """
    return curves.curve("gelu_tanh" if approximate else "gelu", as_float(x))


@op
def hard_shrink(x: Array, threshold: float = 0.5) -> Any:
    """`x`, or 0 where its magnitude is at most `threshold`."""
    x = as_float(x)
    return jnp.where(jnp.abs(x) <= threshold, jnp.zeros_like(x), x)


@op
def soft_shrink(x: Array, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`, and 0 where it would pass it."""
    x = as_float(x)
    moved = x - jnp.where(x > 0, threshold, -threshold).astype(x.dtype)
    return jnp.where(jnp.abs(x) <= threshold, jnp.zeros_like(x), moved)


@op
def squareplus(x: Array, b: float = 4) -> Any:
    """``(x + sqrt(x ** 2 + b)) / 2`` (Barron 2021)."""
    return jax.nn.squareplus(as_float(x), b)


@op
def threshold(x: Array, threshold: float, default_value: float) -> Any:
    """`x` above `threshold`, `default_value` elsewhere."""
    x = jnp.asarray(x)
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@op
def softmax(x: Array, axis: int | Sequence[int] | None = -1) -> Any:
    """Positive values that sum to 1 along `axis`: one, several or all (None)."""
    x = as_float(x)
    if isinstance(axis, int) and x.ndim and x.shape[axis] == 1:
        warnings.warn(
            f"softmax over axis {axis} of shape {x.shape}: an axis of size 1 always gives 1. "
            "Use sigmoid for a single output.",
            stacklevel=4,
        )
    if x.ndim and isinstance(axis, int) and axis in (-1, x.ndim - 1):
        return kernels.softmax(x)
    return jax.nn.softmax(x, as_axis(axis))


@op
def log_softmax(x: Array, axis: int | Sequence[int] | None = -1) -> Any:
    """Logarithm of the softmax along `axis`: one, several or all (None)."""
    return jax.nn.log_softmax(as_float(x), as_axis(axis))


@op
def sparsemax(x: Array, axis: int = -1) -> Any:
    """The point of the simplex nearest to `x` along `axis`; many elements are exactly 0.

    Martins & Astudillo 2016.
    """
    x = as_float(x)
    ordered = jnp.moveaxis(-jnp.sort(-x, axis=axis), axis, -1)
    count = jnp.arange(1, ordered.shape[-1] + 1, dtype=x.dtype)
    support = 1 + count * ordered > jnp.cumsum(ordered, axis=-1)
    total = jnp.sum(jnp.where(support, ordered, 0), axis=-1, keepdims=True)
    tau = (total - 1) / jnp.sum(support, axis=-1, keepdims=True).astype(x.dtype)
    return jnp.maximum(x - jnp.moveaxis(tau, -1, axis), 0)


@op
def glu(x: Array, axis: int = -1) -> Any:
    """First half of `axis` times the sigmoid of the second (Dauphin et al. 2017).

    Raises:
        ValueError: if the size of the axis is odd.
    """
    x = as_float(x)
    if x.shape[axis] % 2:
        raise ValueError(
            f"glu halves axis {axis}, so its size must be even; got shape {x.shape}. "
            "Give the layer before it an even number of units."
        )
    first, second = jnp.split(x, 2, axis)
    return first * curves.curve("sigmoid", second)
