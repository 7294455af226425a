"""Correlation of target and prediction along an axis."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.losses.arrays import match_ranks
from slipstream.losses.base import row_wise
from slipstream.metrics.reduction import FunctionMetric, metric_function


def _moments(y_true: Any, y_pred: Any, axis: Any) -> tuple[Any, Any, Any, Any]:
    """Difference of means, variances and covariance along `axis`."""
    y_pred = jnp.asarray(y_pred)
    y_true, y_pred = match_ranks(jnp.asarray(y_true, y_pred.dtype), y_pred)
    mean_true = jnp.mean(y_true, axis=axis, keepdims=True)
    mean_pred = jnp.mean(y_pred, axis=axis, keepdims=True)
    true, pred = y_true - mean_true, y_pred - mean_pred
    return (
        jnp.squeeze(mean_true - mean_pred, axis=axis),
        jnp.mean(true * true, axis=axis),
        jnp.mean(pred * pred, axis=axis),
        jnp.mean(true * pred, axis=axis),
    )


@metric_function
@row_wise
def pearson_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """Pearson's r, ``cov / (std_true * std_pred)``, along `axis`; nan where either is constant.

    Args:
        y_true: targets, ``(batch, …)``.
        y_pred: predictions of the same shape.
        axis: axis or axes that are summed over.

    Returns:
        Correlations in -1 to 1, without `axis`.
    """
    _, var_true, var_pred, covariance = _moments(y_true, y_pred, axis)
    return covariance / (jnp.sqrt(var_true) * jnp.sqrt(var_pred))


@metric_function
@row_wise
def concordance_correlation(y_true: Any, y_pred: Any, axis: Any = -1) -> Any:
    """Lin's concordance, ``2 cov / (var_true + var_pred + (mean_true - mean_pred)²)``.

    Args:
        y_true: targets, ``(batch, …)``.
        y_pred: predictions of the same shape.
        axis: axis or axes that are summed over.

    Returns:
        Correlations in -1 to 1, without `axis` (Lin 1989, Biometrics 45).
    """
    shift, var_true, var_pred, covariance = _moments(y_true, y_pred, axis)
    return 2 * covariance / (var_true + var_pred + shift * shift + config.epsilon())


@register("metric")
class PearsonCorrelation(FunctionMetric):
    """Mean of Pearson's correlation coefficient along `axis`.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        axis: axis or axes along which target and prediction are compared.
    """

    direction = "up"

    def __init__(
        self, name: str = "pearson_correlation", dtype: Any = None, axis: Any = -1
    ) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)


@register("metric")
class ConcordanceCorrelation(FunctionMetric):
    """Mean of Lin's concordance correlation coefficient along `axis`.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        axis: axis or axes along which target and prediction are compared.
    """

    direction = "up"

    def __init__(
        self, name: str = "concordance_correlation", dtype: Any = None, axis: Any = -1
    ) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
