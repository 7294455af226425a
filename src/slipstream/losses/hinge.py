"""Margin losses. Shapes ``(…, classes)`` give values of shape ``(…)``."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.losses.arrays import pair
from slipstream.losses.base import NamedLoss, row_wise


def _signs(y_true: Any) -> Any:
    """Labels 0 and 1 as -1 and 1; labels that are neither are left as they are."""
    binary = jnp.all((y_true == 0) | (y_true == 1))
    return jnp.where(binary, 2 * y_true - 1, y_true)


@register("loss")
@row_wise(averages=True)
def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``max(1 - y_true * y_pred, 0)`` over the last axis.

    `y_true` is -1 and 1, or 0 and 1 throughout.
    """
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.maximum(1 - _signs(y_true) * y_pred, 0), axis=-1)


@register("loss")
@row_wise(averages=True)
def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``max(1 - y_true * y_pred, 0) ** 2`` over the last axis.

    `y_true` is -1 and 1, or 0 and 1 throughout.
    """
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.square(jnp.maximum(1 - _signs(y_true) * y_pred, 0)), axis=-1)


@register("loss")
@row_wise
def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """``max(1 + score of the best wrong class - score of the right one, 0)``.

    `y_true` is one-hot over the last axis.
    """
    y_true, y_pred = pair(y_true, y_pred)
    right = jnp.sum(y_true * y_pred, axis=-1)
    wrong = jnp.max((1 - y_true) * y_pred, axis=-1)
    return jnp.maximum(wrong - right + 1, 0)


@register("loss")
class Hinge(NamedLoss):
    """See `hinge`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


@register("loss")
class SquaredHinge(NamedLoss):
    """See `squared_hinge`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "squared_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


@register("loss")
class CategoricalHinge(NamedLoss):
    """See `categorical_hinge`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_hinge",
        dtype: Any = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
