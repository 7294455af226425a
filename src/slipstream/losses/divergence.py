"""Losses between distributions, or between counts and rates."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.losses.arrays import pair
from slipstream.losses.base import NamedLoss, row_wise


@register("loss", "kld", "KLD")
@row_wise
def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """``sum(y_true * log(y_true / y_pred))`` over the last axis.

    Kullback & Leibler 1951. Probabilities are clipped to `epsilon()` … 1.
    """
    y_true, y_pred = pair(y_true, y_pred, wide=True)
    y_true, y_pred = (jnp.clip(y, config.epsilon(), 1) for y in (y_true, y_pred))
    return jnp.sum(y_true * jnp.log(y_true / y_pred), axis=-1)


@register("loss")
@row_wise(averages=True)
def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean of ``y_pred - y_true * log(y_pred)`` over the last axis.

    The negative log-likelihood of counts `y_true` under rates `y_pred`, up to a constant.
    """
    y_true, y_pred = pair(y_true, y_pred, wide=True)
    return jnp.mean(y_pred - y_true * jnp.log(y_pred + config.epsilon()), axis=-1)


@register("loss")
class KLDivergence(NamedLoss):
    """See `kl_divergence`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "kl_divergence",
        dtype: Any = None,
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)


@register("loss")
class Poisson(NamedLoss):
    """See `poisson`."""

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "poisson",
        dtype: Any = None,
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)
