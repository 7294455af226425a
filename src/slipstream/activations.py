"""Activation functions, on arrays and on symbolic tensors, and their registry.

Each works element by element, or along `axis`, and keeps the input's shape and float type. Most
are the operations of that name; a few have other defaults, or leave a note for the losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from slipstream import ops
from slipstream.core import registry
from slipstream.core.operation import Array, operation
from slipstream.core.scope import attach
from slipstream.core.symbol import is_symbolic

register = registry.register


@register("activation")
def linear(x: Any) -> Any:
    """`x` itself."""
    return x if is_symbolic(x) else ops.convert_to_tensor(x)


@register("activation")
@operation("activations", "ReLU")
def relu(
    x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Any:
    """`x` above `threshold`, capped at `max_value`; ``negative_slope * (x - threshold)`` below."""
    x = jnp.asarray(x)
    if max_value is None and negative_slope == 0 and threshold == 0:
        return jax.nn.relu(x)
    below = negative_slope * (x - threshold) if negative_slope else jnp.zeros_like(x)
    above = x if max_value is None else jnp.minimum(x, max_value)
    return jnp.where(x <= threshold, below, above)


@register("activation")
def gelu(x: Any, approximate: bool = False) -> Any:
    """`x` times the normal distribution function of `x` (Hendrycks & Gimpel 2016).

    Args:
        approximate: use the tanh approximation.
    """
    return ops.gelu(x, approximate)


@register("activation")
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``. Losses find `x` again and compute from it without saturation."""
    return _remember(ops.sigmoid(x), "sigmoid_logits", x)


@register("activation")
def softmax(x: Any, axis: int | Sequence[int] = -1) -> Any:
    """Positive values that sum to 1 along `axis`, one axis or several.

    Along the last axis, losses find `x` again and compute from it without saturation.
    """
    y = ops.softmax(x, axis)
    return _remember(y, "softmax_logits", x) if axis in (-1, y.ndim - 1) else y


@register("activation")
def exponential(x: Any) -> Any:
    """``exp(x)``."""
    return ops.exp(x)


def _remember(y: Any, name: str, x: Any) -> Any:
    if not is_symbolic(y):
        attach(y, name, x if isinstance(x, jax.Array) else jnp.asarray(x, y.dtype))
    return y


relu6 = register("activation")(ops.relu6)
leaky_relu = register("activation")(ops.leaky_relu)
elu = register("activation")(ops.elu)
selu = register("activation")(ops.selu)
celu = register("activation")(ops.celu)
silu = swish = register("activation", "swish")(ops.silu)
hard_silu = hard_swish = register("activation", "hard_swish")(ops.hard_silu)
mish = register("activation")(ops.mish)
hard_sigmoid = register("activation")(ops.hard_sigmoid)
sparse_sigmoid = register("activation")(ops.sparse_sigmoid)
log_sigmoid = register("activation")(ops.log_sigmoid)
tanh = register("activation")(ops.tanh)
hard_tanh = register("activation")(ops.hard_tanh)
tanh_shrink = register("activation")(ops.tanh_shrink)
hard_shrink = register("activation")(ops.hard_shrink)
soft_shrink = register("activation")(ops.soft_shrink)
softplus = register("activation")(ops.softplus)
sparse_plus = register("activation")(ops.sparse_plus)
squareplus = register("activation")(ops.squareplus)
softsign = register("activation")(ops.softsign)
threshold = register("activation")(ops.threshold)
log_softmax = register("activation")(ops.log_softmax)
sparsemax = register("activation")(ops.sparsemax)
glu = register("activation")(ops.glu)


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
