"""Activation functions, on arrays and on symbolic tensors.

Each works element by element, or along `axis`, and keeps the input's shape and float type.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.scope import attach
from slipstream.core.symbol import apply_symbolic, is_symbolic

F = TypeVar("F", bound=Callable[..., Any])


def _activation(*aliases: str, integers: bool = False) -> Callable[[F], F]:
    """Register a function; let it take symbolic tensors, and lists and whole numbers as floats."""

    def enter(function: F) -> F:
        @functools.wraps(function)
        def activate(x: Any, *args: Any, **kwargs: Any) -> Any:
            if is_symbolic(x):
                return apply_symbolic(activate, x, *args, **kwargs)
            if not isinstance(x, jax.Array):
                x = jnp.asarray(x)
            if not integers and not jnp.issubdtype(x.dtype, jnp.inexact):
                x = x.astype(config.floatx())
            return function(x, *args, **kwargs)

        return cast(F, registry.register("activation", *aliases)(activate))

    return enter


@_activation(integers=True)
def linear(x: Any) -> Any:
    """`x` itself."""
    return x


@_activation(integers=True)
def relu(
    x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """`x` above `threshold`, capped at `max_value`; ``negative_slope * (x - threshold)`` below."""
    if max_value is None and negative_slope == 0 and threshold == 0:
        return jax.nn.relu(x)
    below = negative_slope * (x - threshold) if negative_slope else jnp.zeros_like(x)
    above = x if max_value is None else jnp.minimum(x, max_value)
    return jnp.where(x <= threshold, below, above)


@_activation()
def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)`` (Krizhevsky 2010)."""
    return jax.nn.relu6(x)


@_activation()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """`x` above 0, ``negative_slope * x`` below (Maas et al. 2013)."""
    return jax.nn.leaky_relu(x, negative_slope)


@_activation()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """`x` above 0, ``alpha * (exp(x) - 1)`` below (Clevert et al. 2016)."""
    return jax.nn.elu(x, alpha)


@_activation()
def selu(x: Any) -> Any:
    """`elu` scaled so that activations normalise themselves (Klambauer et al. 2017)."""
    return jax.nn.selu(x)


@_activation()
def celu(x: Any, alpha: float = 1.0) -> Any:
    """`x` above 0, ``alpha * (exp(x / alpha) - 1)`` below (Barron 2017)."""
    return jax.nn.celu(x, alpha)


@_activation()
def gelu(x: Any, approximate: bool = False) -> Any:
    """`x` times the normal distribution function of `x` (Hendrycks & Gimpel 2016).

    Args:
        approximate: use the tanh approximation.
    """
    return jax.nn.gelu(x, approximate)


@_activation("swish")
def silu(x: Any) -> Any:
    """``x * sigmoid(x)`` (Elfwing et al. 2018; Ramachandran et al. 2017)."""
    return jax.nn.silu(x)


@_activation("hard_swish")
def hard_silu(x: Any) -> Any:
    """``x * hard_sigmoid(x)`` (Howard et al. 2019)."""
    return jax.nn.hard_silu(x)


@_activation()
def mish(x: Any) -> Any:
    """``x * tanh(softplus(x))`` (Misra 2020)."""
    return jax.nn.mish(x)


@_activation()
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``. Losses find `x` again and compute from it without saturation."""
    y = jax.nn.sigmoid(x)
    attach(y, "sigmoid_logits", x)
    return y


@_activation()
def hard_sigmoid(x: Any) -> Any:
    """``x / 6 + 1 / 2``, clipped to 0 and 1."""
    return jax.nn.hard_sigmoid(x)


@_activation()
def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2``, clipped to 0 and 1."""
    return jax.nn.sparse_sigmoid(x)


@_activation()
def log_sigmoid(x: Any) -> Any:
    """Logarithm of the sigmoid, accurate where the sigmoid itself is 0."""
    return jax.nn.log_sigmoid(x)


@_activation()
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return jnp.tanh(x)


@_activation()
def hard_tanh(x: Any) -> Any:
    """`x` clipped to -1 and 1."""
    return jax.nn.hard_tanh(x)


@_activation()
def tanh_shrink(x: Any) -> Any:
    """``x - tanh(x)``."""
    return x - jnp.tanh(x)


@_activation()
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x`, or 0 where its magnitude is at most `threshold`."""
    return jnp.where(jnp.abs(x) <= threshold, jnp.zeros_like(x), x)


@_activation()
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """`x` moved towards 0 by `threshold`, and 0 where it would pass it."""
    moved = x - jnp.where(x > 0, threshold, -threshold).astype(x.dtype)
    return jnp.where(jnp.abs(x) <= threshold, jnp.zeros_like(x), moved)


@_activation()
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``."""
    return jax.nn.softplus(x)


@_activation()
def sparse_plus(x: Any) -> Any:
    """0 below -1, `x` above 1, ``(x + 1) ** 2 / 4`` between."""
    return jax.nn.sparse_plus(x)


@_activation()
def squareplus(x: Any, b: float = 4) -> Any:
    """``(x + sqrt(x ** 2 + b)) / 2`` (Barron 2021)."""
    return jax.nn.squareplus(x, b)


@_activation()
def softsign(x: Any) -> Any:
    """``x / (1 + abs(x))``."""
    return jax.nn.soft_sign(x)


@_activation()
def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return jnp.exp(x)


@_activation(integers=True)
def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """`x` above `threshold`, `default_value` elsewhere."""
    return jnp.where(x > threshold, x, jnp.asarray(default_value, x.dtype))


@_activation()
def softmax(x: Any, axis: int | Sequence[int] = -1) -> Any:
    """Positive values that sum to 1 along `axis`, one axis or several.

    Along the last axis, losses find `x` again and compute from it without saturation.
    """
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    if isinstance(axes, int) and x.ndim and x.shape[axes] == 1:
        warnings.warn(
            f"softmax over axis {axes} of shape {x.shape}: an axis of size 1 always gives 1. "
            "Use sigmoid for a single output.",
            stacklevel=3,
        )
    y = jax.nn.softmax(x, axes)
    if axes in (-1, x.ndim - 1):
        attach(y, "softmax_logits", x)
    return y


@_activation()
def log_softmax(x: Any, axis: int | Sequence[int] = -1) -> Any:
    """Logarithm of the softmax along `axis`, one axis or several."""
    return jax.nn.log_softmax(x, tuple(axis) if isinstance(axis, Sequence) else axis)


@_activation()
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the simplex nearest to `x` along `axis`; many elements are exactly 0.

    Martins & Astudillo 2016.
    """
    ordered = jnp.moveaxis(-jnp.sort(-x, axis=axis), axis, -1)
    count = jnp.arange(1, ordered.shape[-1] + 1, dtype=x.dtype)
    support = 1 + count * ordered > jnp.cumsum(ordered, axis=-1)
    total = jnp.sum(jnp.where(support, ordered, 0), axis=-1, keepdims=True)
    tau = (total - 1) / jnp.sum(support, axis=-1, keepdims=True).astype(x.dtype)
    return jnp.maximum(x - jnp.moveaxis(tau, -1, axis), 0)


@_activation()
def glu(x: Any, axis: int = -1) -> Any:
    """First half of `axis` times the sigmoid of the second (Dauphin et al. 2017).

    Raises:
        ValueError: if the size of the axis is odd.
    """
    if x.shape[axis] % 2:
        raise ValueError(
            f"glu halves axis {axis}, so its size must be even; got shape {x.shape}. "
            "Give the layer before it an even number of units."
        )
    return jax.nn.glu(x, axis)


swish = silu
hard_swish = hard_silu


def get(identifier: Any) -> Any:
    """An activation from None (`linear`), a name, configuration, function or layer."""
    if identifier is None:
        return linear
    if isinstance(identifier, dict):
        return deserialize(identifier)
    return registry.resolve("activation", identifier)


def serialize(activation: Any) -> Any:
    """The JSON-ready configuration of an activation."""
    return registry.serialize(activation)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The activation that `serialize` described; it may be a layer."""
    layer = isinstance(config, dict) and ".layers" in (config.get("module") or "")
    return registry.deserialize(config, custom_objects, kind=None if layer else "activation")
