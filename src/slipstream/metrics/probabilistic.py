"""Metrics of predicted probabilities."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    kl_divergence,
    poisson,
    sparse_categorical_crossentropy,
)
from slipstream.metrics.reduction import FunctionMetric


@register("metric", "bce", "BCE")
class BinaryCrossentropy(FunctionMetric):
    """Mean cross-entropy between targets of 0 and 1 and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: how far targets are drawn to the middle, 0 to 1.
    """

    direction = "down"

    def __init__(
        self,
        name: str = "binary_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
        super().__init__(
            binary_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


@register("metric")
class CategoricalCrossentropy(FunctionMetric):
    """Mean cross-entropy between one-hot targets and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        from_logits: whether predictions are logits, not probabilities.
        label_smoothing: how far targets are drawn to the middle, 0 to 1.
        axis: the axis of the classes.
    """

    direction = "down"

    def __init__(
        self,
        name: str = "categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("metric")
class SparseCategoricalCrossentropy(FunctionMetric):
    """Mean cross-entropy between class numbers and predicted probabilities.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        from_logits: whether predictions are logits, not probabilities.
        ignore_class: rows with this target count as 0.
        axis: the axis of the classes.
    """

    direction = "down"

    def __init__(
        self,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@register("metric")
class KLDivergence(FunctionMetric):
    """Mean Kullback-Leibler divergence, ``sum(y_true * log(y_true / y_pred))``.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(kl_divergence, name, dtype)


@register("metric")
class Poisson(FunctionMetric):
    """Mean of ``y_pred - y_true * log(y_pred)``.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "poisson", dtype: Any = None) -> None:
        super().__init__(poisson, name, dtype)
