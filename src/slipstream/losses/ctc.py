"""Connectionist temporal classification (Graves et al. 2006)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.losses.arrays import floats
from slipstream.losses.base import NamedLoss, row_wise
from slipstream.ops.ctc import ctc_loss


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
    batch, time, _ = y_pred.shape
    return ctc_loss(labels, y_pred, jnp.sum(labels != 0, axis=1), jnp.full(batch, time))


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
