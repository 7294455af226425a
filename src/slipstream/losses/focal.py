"""Focal cross-entropies (Lin et al. 2017): what is already predicted well counts less."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.kernels.curves import curve
from slipstream.losses.arrays import check_smoothing, pair
from slipstream.losses.base import NamedLoss, row_wise
from slipstream.losses.crossentropy import (
    binary_logits,
    class_logits,
    smooth_binary,
    smooth_classes,
)
from slipstream.ops.crossentropy import bernoulli_entropy, log_probabilities


def _modulate(miss: Any, gamma: float) -> Any:
    """``miss ** gamma``, its gradient finite where `miss` is 0."""
    return jnp.power(jnp.maximum(miss, config.epsilon() ** 2), gamma)


@register("loss")
@row_wise(averages=True)
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times ``(1 - p) ** gamma``, `p` the probability of the target.

    Args:
        y_true: labels 0 and 1, of the shape of `y_pred`.
        y_pred: probabilities, or logits with `from_logits`.
        apply_class_balancing: whether to weigh label 1 by `alpha` and label 0 by ``1 - alpha``.
        alpha: the weight of label 1.
        gamma: at least 0; 0 gives the plain cross-entropy.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: from 0 to 1, how far to move targets towards one half.
        axis: axis of the mean.
    """
    y_true, y_pred = pair(y_true, y_pred, equal=True, wide=True)
    y_true = smooth_binary(y_true, label_smoothing)
    logits = binary_logits(y_pred, from_logits)
    values = bernoulli_entropy(y_true, y_pred, logits)
    if logits is None:
        yes, no = y_pred, 1 - y_pred
    else:
        yes, no = curve("sigmoid", logits), curve("sigmoid", -logits)
    values = values * _modulate(y_true * no + (1 - y_true) * yes, gamma)
    if apply_class_balancing:
        values = values * (y_true * alpha + (1 - y_true) * (1 - alpha))
    return jnp.mean(values, axis=axis)


@register("loss")
@row_wise
def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(alpha * (1 - p) ** gamma * y log p)`` over the classes.

    Args:
        y_true: one-hot over `axis`, of the shape of `y_pred`.
        y_pred: probabilities, scaled to sum to 1, or logits with `from_logits`.
        alpha: a weight for all classes, or one for each.
        gamma: at least 0.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: from 0 to 1, the share of each target spread over all classes.
        axis: axis of the classes.
    """
    y_true, y_pred = pair(y_true, y_pred, equal=True, wide=True)
    y_true = smooth_classes(y_true, label_smoothing, axis)
    logits = class_logits(y_pred, from_logits, axis)
    logp = log_probabilities(y_pred, logits, axis)
    weight = jnp.asarray(alpha, y_pred.dtype)
    if weight.ndim == 1:
        weight = jnp.expand_dims(weight, [a for a in range(y_pred.ndim) if a != axis % y_pred.ndim])
    values = weight * _modulate(-jnp.expm1(logp), gamma) * y_true * logp
    return -jnp.sum(values, axis=axis)


@register("loss")
class BinaryFocalCrossentropy(NamedLoss):
    """See `binary_focal_crossentropy`."""

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        check_smoothing(label_smoothing)
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("loss")
class CategoricalFocalCrossentropy(NamedLoss):
    """See `categorical_focal_crossentropy`."""

    def __init__(
        self,
        alpha: Any = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        dtype: Any = None,
    ) -> None:
        check_smoothing(label_smoothing)
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )
