"""Connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.losses.arrays import floats
from slipstream.losses.base import NamedLoss, row_wise

# Stands for the logarithm of 0: small enough to vanish, and finite so that gradients are.
_LOG_ZERO = -1e5


@register("loss")
@row_wise
def ctc(y_true: Any, y_pred: Any) -> Any:
    """Minus the log-probability of a label sequence, summed over all its alignments.

    Args:
        y_true: class numbers ``(batch, labels)`` of at least 1, filled up with 0 at the end.
        y_pred: logits ``(batch, time, classes)``; class 0 is the blank.

    Returns:
        Values ``(batch,)``; about 1e5 where the labels do not fit into the time steps.

    Raises:
        ValueError: if the shapes are not these.
    """
    y_pred = floats(y_pred, wide=True)
    labels = jnp.asarray(y_true).astype(jnp.int32)
    if labels.ndim != 2 or y_pred.ndim != 3 or labels.shape[0] != y_pred.shape[0]:
        raise ValueError(
            f"y_true has shape {labels.shape} and y_pred has shape {y_pred.shape}; ctc wants "
            "labels (batch, labels) and logits (batch, time, classes) of one batch."
        )
    length = jnp.sum(labels != 0, axis=1)
    # The labels with a blank before, between and after them: the states of an alignment.
    states = 2 * labels.shape[1] + 1
    path = jnp.zeros((labels.shape[0], states), jnp.int32).at[:, 1::2].set(labels)
    before = jnp.pad(path, ((0, 0), (2, 0)))[:, :states]
    may_skip_blank = (path != 0) & (path != before)

    logp = jax.nn.log_softmax(y_pred, axis=-1)
    emitted = jnp.take_along_axis(logp, path[:, None, :], axis=2).swapaxes(0, 1)
    place = jnp.arange(states)
    start = jnp.where(place < 2, emitted[0], _LOG_ZERO)

    def step(reached: Any, emission: Any) -> tuple[Any, None]:
        moved = jnp.pad(reached, ((0, 0), (2, 0)), constant_values=_LOG_ZERO)
        skipped = jnp.where(may_skip_blank, moved[:, :states], _LOG_ZERO)
        stayed = jnp.logaddexp(reached, moved[:, 1 : states + 1])
        return jnp.logaddexp(stayed, skipped) + emission, None

    reached, _ = jax.lax.scan(step, start, emitted[1:])
    last = 2 * length[:, None]
    ends = (place == last) | (place == last - 1)
    return -jax.nn.logsumexp(jnp.where(ends, reached, _LOG_ZERO), axis=1)


@register("loss")
class CTC(NamedLoss):
    """See `ctc`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "ctc",
        dtype: Any = None,
    ) -> None:
        super().__init__(ctc, reduction, name, dtype)
