"""Losses on directions and on embeddings."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.core.scope import attach
from slipstream.losses.arrays import floats, pair
from slipstream.losses.base import NamedLoss, row_wise


def _unit(x: Any, axis: int) -> Any:
    squared = jnp.sum(jnp.square(x), axis=axis, keepdims=True)
    return x / jnp.sqrt(jnp.maximum(squared, config.epsilon() ** 2))


@register("loss")
@row_wise
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle along `axis`: -1 for one direction, 1 for opposite ones."""
    y_true, y_pred = pair(y_true, y_pred)
    axes: Any = tuple(axis) if isinstance(axis, (list, tuple)) else axis
    return -jnp.sum(_unit(y_true, axes) * _unit(y_pred, axes), axis=axes)


@register("loss")
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Any:
    """Draws embeddings of one class together and apart from others (Sun et al. 2020).

    Args:
        y_true: class numbers ``(batch,)`` or ``(batch, 1)``.
        y_pred: embeddings of norm 1, ``(batch, size)``.
        ref_labels: class numbers to compare with, ``(references,)``; `y_true` if not given.
        ref_embeddings: their embeddings; `y_pred` if not given.
        remove_diagonal: whether example `i` and reference `i` are the same and not compared.
        gamma: scale.
        margin: how far similarities may stay from their ideal.

    Returns:
        Values ``(batch,)``; 0 for an example with no other of its class, or none of another.
        Loss classes do not count such an example in the mean.
    """
    y_pred = floats(y_pred)
    labels = jnp.reshape(jnp.asarray(y_true), -1)
    references = labels if ref_labels is None else jnp.reshape(jnp.asarray(ref_labels), -1)
    others = y_pred if ref_embeddings is None else jnp.asarray(ref_embeddings, y_pred.dtype)
    if (labels.size, references.size) != (y_pred.shape[0], others.shape[0]):
        raise ValueError(
            f"y_true has {labels.size} labels for {y_pred.shape[0]} embeddings, and there are "
            f"{references.size} reference labels for {others.shape[0]}. Give whole-number labels, "
            "one for each embedding."
        )
    similarity = jnp.minimum(y_pred @ others.T, 1)
    same = labels[:, None] == references[None, :]
    alike = same & ~jnp.eye(same.shape[0], same.shape[1], dtype=bool) if remove_diagonal else same
    pull = -gamma * jax.nn.relu(1 + margin - similarity) * (similarity - (1 - margin))
    push = gamma * jax.nn.relu(similarity + margin) * (similarity - margin)
    exponent = _logsumexp(pull, alike) + _logsumexp(push, ~same)
    both = jnp.any(alike, axis=1) & jnp.any(~same, axis=1)
    values = jnp.where(both, jax.nn.softplus(jnp.where(both, exponent, 0)), 0)
    attach(values, "mask", both)
    return values


def _logsumexp(x: Any, where: Any) -> Any:
    """Over the last axis, of what `where` leaves; 0 where it leaves nothing."""
    some = jnp.any(where, axis=-1, keepdims=True)
    return jax.nn.logsumexp(jnp.where(some, x, 0), axis=-1, where=where | ~some)


@register("loss")
class CosineSimilarity(NamedLoss):
    """See `cosine_similarity`."""

    def __init__(
        self,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "cosine_similarity",
        dtype: Any = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


@register("loss")
class Circle(NamedLoss):
    """See `circle`. Each example is compared with the others of its batch."""

    per_example = False

    def __init__(
        self,
        gamma: float = 80.0,
        margin: float = 0.4,
        remove_diagonal: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "circle",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )
