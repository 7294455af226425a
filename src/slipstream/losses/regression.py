"""Losses between numbers. Shapes ``(…, features)`` give values of shape ``(…)``."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.kernels.curves import curve
from slipstream.losses.arrays import pair
from slipstream.losses.base import NamedLoss, row_wise


@register("loss", "mse", "MSE")
@row_wise(averages=True)
def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``(y_true - y_pred) ** 2`` over the last axis."""
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.square(y_true - y_pred), axis=-1)


@register("loss", "mae", "MAE")
@row_wise(averages=True)
def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``abs(y_true - y_pred)`` over the last axis."""
    y_true, y_pred = pair(y_true, y_pred)
    return jnp.mean(jnp.abs(y_true - y_pred), axis=-1)


@register("loss", "mape", "MAPE")
@row_wise(averages=True)
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``100 * abs((y_true - y_pred) / y_true)`` over the last axis.

    Targets nearer to 0 than `epsilon()` count as that near.
    """
    y_true, y_pred = pair(y_true, y_pred)
    size = jnp.maximum(jnp.abs(y_true), config.epsilon())
    return 100 * jnp.mean(jnp.abs((y_true - y_pred) / size), axis=-1)


@register("loss", "msle", "MSLE")
@row_wise(averages=True)
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``(log(1 + y_true) - log(1 + y_pred)) ** 2`` over the last axis.

    Values below `epsilon()` count as `epsilon()`.
    """
    y_true, y_pred = pair(y_true, y_pred)
    first, second = (jnp.log1p(jnp.maximum(y, config.epsilon())) for y in (y_true, y_pred))
    return jnp.mean(jnp.square(first - second), axis=-1)


@register("loss")
@row_wise(averages=True)
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Half the squared error up to `delta`, linear beyond it, mean over the last axis.

    Huber 1964.
    """
    y_true, y_pred = pair(y_true, y_pred)
    error = jnp.abs(y_true - y_pred)
    small = jnp.minimum(error, delta)
    return jnp.mean(small * (error - 0.5 * small), axis=-1)


@register("loss")
@row_wise(averages=True)
def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``log(cosh(y_pred - y_true))`` over the last axis, finite for any error."""
    y_true, y_pred = pair(y_true, y_pred)
    error = y_pred - y_true
    return jnp.mean(error + curve("softplus", -2 * error) - math.log(2), axis=-1)


@register("loss")
class MeanSquaredError(NamedLoss):
    """See `mean_squared_error`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_error, reduction, name, dtype)


@register("loss")
class MeanAbsoluteError(NamedLoss):
    """See `mean_absolute_error`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_error, reduction, name, dtype)


@register("loss")
class MeanAbsolutePercentageError(NamedLoss):
    """See `mean_absolute_percentage_error`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_absolute_percentage_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


@register("loss")
class MeanSquaredLogarithmicError(NamedLoss):
    """See `mean_squared_logarithmic_error`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "mean_squared_logarithmic_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


@register("loss")
class Huber(NamedLoss):
    """See `huber`."""

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = "sum_over_batch_size",
        name: str = "huber_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


@register("loss")
class LogCosh(NamedLoss):
    """See `log_cosh`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "log_cosh",
        dtype: Any = None,
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)
