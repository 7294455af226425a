"""Losses of overlap between regions, for segmentation.

`axis` names the axes that make up one region: None takes the whole batch as one (a single
value), ``(1, 2, 3)`` each ``(height, width, channels)`` image by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.losses.arrays import pair
from slipstream.losses.base import NamedLoss

Axis = int | Sequence[int] | None


def _axes(axis: Axis) -> Any:
    return tuple(axis) if isinstance(axis, Sequence) else axis


@register("loss")
def dice(y_true: Any, y_pred: Any, axis: Axis = None) -> Any:
    """1 minus twice the overlap over the sum of both sizes (Dice 1945; Milletari et al. 2016)."""
    y_true, y_pred = pair(y_true, y_pred)
    axes = _axes(axis)
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    size = jnp.sum(y_true, axis=axes) + jnp.sum(y_pred, axis=axes)
    return 1 - 2 * overlap / (size + config.epsilon())


@register("loss")
def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None
) -> Any:
    """1 minus overlap over overlap, `alpha` times what is missed and `beta` times what is extra.

    Salehi et al. 2017. With `alpha` and `beta` of one half it is the Dice loss.
    """
    y_true, y_pred = pair(y_true, y_pred)
    axes = _axes(axis)
    overlap = jnp.sum(y_true * y_pred, axis=axes)
    missed = jnp.sum(y_true * (1 - y_pred), axis=axes)
    extra = jnp.sum((1 - y_true) * y_pred, axis=axes)
    return 1 - overlap / (overlap + alpha * missed + beta * extra + config.epsilon())


@register("loss")
class Dice(NamedLoss):
    """See `dice`. Each example counts by itself only where `axis` leaves out axis 0."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


@register("loss")
class Tversky(NamedLoss):
    """See `tversky`. Each example counts by itself only where `axis` leaves out axis 0."""

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky",
        axis: Axis = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
