"""Hinge metrics: by how much predictions miss the margin."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.losses import categorical_hinge, hinge, squared_hinge
from slipstream.metrics.reduction import FunctionMetric


@register("metric")
class Hinge(FunctionMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)`` for targets of -1 and 1 (0 counts as -1).

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"
    numbers_are_rows = True

    def __init__(self, name: str = "hinge", dtype: Any = None) -> None:
        super().__init__(hinge, name, dtype)


@register("metric")
class SquaredHinge(FunctionMetric):
    """Mean of ``max(1 - y_true * y_pred, 0)²`` for targets of -1 and 1 (0 counts as -1).

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"
    numbers_are_rows = True

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
