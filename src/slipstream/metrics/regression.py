"""Regression metrics: means of differences."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.losses import (
    cosine_similarity,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
)
from slipstream.losses.arrays import match_ranks
from slipstream.metrics.reduction import FunctionMetric, Mean


@register("metric", "mse", "MSE")
class MeanSquaredError(FunctionMetric):
    """Mean of the squared differences.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(mean_squared_error, name, dtype)


@register("metric")
class RootMeanSquaredError(Mean):
    """Root of the mean of the squared differences over all rows.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    per_example = True
    direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Gather one batch of ``(batch, …)``; weights are ``(batch,)`` or up to that shape."""
        y_true, y_pred = match_ranks(
            jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        )
        super().update_state(jnp.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        """The root, 0 before any update."""
        return jnp.sqrt(super().result())


@register("metric", "mae", "MAE")
class MeanAbsoluteError(FunctionMetric):
    """Mean of the absolute differences.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(mean_absolute_error, name, dtype)


@register("metric", "mape", "MAPE")
class MeanAbsolutePercentageError(FunctionMetric):
    """Mean of the absolute differences in percent of the target.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(mean_absolute_percentage_error, name, dtype)


@register("metric", "msle", "MSLE")
class MeanSquaredLogarithmicError(FunctionMetric):
    """Mean of the squared differences of ``log(1 + value)``.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(mean_squared_logarithmic_error, name, dtype)


@register("metric")
class LogCoshError(FunctionMetric):
    """Mean of ``log(cosh(y_pred - y_true))``.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "down"

    def __init__(self, name: str = "logcosh", dtype: Any = None) -> None:
        super().__init__(log_cosh, name, dtype)


def _cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    return -cosine_similarity(y_true, y_pred, axis=axis)  # the loss is its negative


@register("metric")
class CosineSimilarity(FunctionMetric):
    """Mean cosine of the angle between target and prediction, 1 for the same direction.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        axis: the axis of the vectors' entries.
    """

    direction = "up"
    unsaid = {"axis": -1}

    def __init__(
        self,
        name: str = "cosine_similarity",
        dtype: Any = None,
        axis: int = -1,
    ) -> None:
        super().__init__(_cosine_similarity, name, dtype, axis=axis)
