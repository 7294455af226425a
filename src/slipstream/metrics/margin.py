"""Hinge metrics: by how much predictions miss the margin."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.core.scope import attached
from slipstream.losses import categorical_hinge, hinge, squared_hinge
from slipstream.losses.arrays import match_ranks
from slipstream.metrics.reduction import FunctionMetric
from slipstream.metrics.weighting import combine_mask, widen


class _SignedMargin(FunctionMetric):
    """Rows that do not count have no say in whether the labels are 0 and 1 or -1 and 1."""

    per_example = True
    direction = "down"

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Gather one batch; weights are ``(batch,)`` or up to the shape of the values."""
        weights = combine_mask(sample_weight, attached(y_pred, "mask"), self.dtype)
        if weights is not None:
            y_true, weights = match_ranks(jnp.asarray(y_true), jnp.asarray(weights))
            if weights.ndim <= y_true.ndim:
                y_true = jnp.where(widen(weights, y_true.ndim) != 0, y_true, 1)
        super().update_state(y_true, y_pred, sample_weight)


@register("metric")
class Hinge(_SignedMargin):
    """Mean of ``max(1 - y_true * y_pred, 0)`` for targets of -1 and 1 (0 counts as -1).

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, name, dtype)


@register("metric")
class SquaredHinge(_SignedMargin):
    """Mean of ``max(1 - y_true * y_pred, 0)²`` for targets of -1 and 1 (0 counts as -1).

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    def __init__(self, name: str = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(squared_hinge, name, dtype)


@register("metric")
class CategoricalHinge(FunctionMetric):
    """Mean of ``max(1 + best wrong score - right score, 0)`` for one-hot targets.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(categorical_hinge, name, dtype)
