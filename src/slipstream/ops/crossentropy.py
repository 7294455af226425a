"""Cross-entropies of each element or each distribution.

From logits where they are at hand. Probabilities are kept away from 0 and 1 by `epsilon()`, so
that their logarithms are finite.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, operation
from slipstream.kernels.cross_entropy import entropy, label_entropy, pick
from slipstream.kernels.curves import curve
from slipstream.ops.define import as_float

op = operation("nn")


@op
def binary_crossentropy(target: Array, output: Array, from_logits: bool = False) -> Any:
    """``-(t log p + (1 - t) log(1 - p))`` of each element.

    Args:
        target: probabilities or labels 0 and 1, of the shape of `output`.
        output: probabilities, or logits with `from_logits`.
    """
    output = as_float(output)
    target = jnp.asarray(target, output.dtype)
    if target.shape != output.shape:
        raise ValueError(
            f"binary_crossentropy: target has shape {target.shape} and output has shape "
            f"{output.shape}; they must be equal."
        )
    return bernoulli_entropy(target, output, output if from_logits else None)


@op
def categorical_crossentropy(
    target: Array, output: Array, from_logits: bool = False, axis: int = -1
) -> Any:
    """``-sum(t log p)`` over the classes along `axis`.

    Args:
        target: distributions, of the shape of `output`.
        output: probabilities, scaled to sum to 1, or logits with `from_logits`.
    """
    output = as_float(output)
    target = jnp.asarray(target, output.dtype)
    if target.shape != output.shape or not output.ndim:
        raise ValueError(
            f"categorical_crossentropy: target has shape {target.shape} and output has shape "
            f"{output.shape}; they must be equal and have an axis of classes."
        )
    if from_logits and axis in (-1, output.ndim - 1):
        return entropy(output, target).astype(output.dtype)
    logp = log_probabilities(output, output if from_logits else None, axis)
    return -jnp.sum(target * logp, axis)


@op
def sparse_categorical_crossentropy(
    target: Array, output: Array, from_logits: bool = False, axis: int = -1
) -> Any:
    """``-log p`` of the class that each target numbers.

    Args:
        target: class numbers, of the shape of `output` without `axis` or with size 1 there.
        output: probabilities, scaled to sum to 1, or logits with `from_logits`.
    """
    output, labels = as_float(output), jnp.asarray(target, jnp.int32)
    if labels.ndim == output.ndim and labels.shape[axis] == 1:
        labels = jnp.squeeze(labels, axis)
    place = axis % output.ndim
    if labels.shape != (*output.shape[:place], *output.shape[place + 1 :]):
        raise ValueError(
            f"sparse_categorical_crossentropy: target has shape {labels.shape} and output has "
            f"shape {output.shape}; the target must have that shape without axis {axis}."
        )
    if from_logits and place == output.ndim - 1:
        return label_entropy(output, labels).astype(output.dtype)
    logp = log_probabilities(output, output if from_logits else None, axis)
    return -pick(logp, labels, axis)


def bernoulli_entropy(target: Any, output: Any, logits: Any) -> Any:
    """Cross-entropy of each element, from the logits unless they are None."""
    if logits is None:
        p = clip_probabilities(output)
        return -(target * jnp.log(p) + (1 - target) * jnp.log(1 - p))
    # Not `maximum` and `abs`: their slopes at a logit of exactly 0 do not add up to the right one.
    positive = logits > 0
    above = jnp.where(positive, logits, 0)
    return above - logits * target + curve("softplus", jnp.where(positive, -logits, logits))


def log_probabilities(output: Any, logits: Any, axis: int) -> Any:
    """Logarithms of the class probabilities, from the logits unless they are None."""
    if logits is not None:
        return jax.nn.log_softmax(logits, axis)
    return jnp.log(clip_probabilities(output / jnp.sum(output, axis=axis, keepdims=True)))


def clip_probabilities(p: Any) -> Any:
    """`p` kept away from 0 and 1 by `epsilon()`."""
    return jnp.clip(p, config.epsilon(), 1 - config.epsilon())
