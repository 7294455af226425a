"""Cross-entropies.

They compute from logits where they can: where `from_logits` says that `y_pred` holds
them, and where `y_pred` is the very output of a sigmoid or a softmax. Other probabilities are
kept away from 0 and 1 by `epsilon()`, so that their logarithms are finite.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.core.scope import attach, attached
from slipstream.kernels.cross_entropy import entropy, label_entropy, pick
from slipstream.losses.arrays import check_smoothing, floats, pair
from slipstream.losses.base import NamedLoss, row_wise
from slipstream.ops.crossentropy import (
    bernoulli_entropy,
    clip_probabilities,
    log_probabilities,
)


def binary_logits(y_pred: Any, from_logits: bool) -> Any:
    """The logits that `y_pred` is or came from, or None."""
    return y_pred if from_logits else attached(y_pred, "sigmoid_logits")


def class_logits(y_pred: Any, from_logits: bool, axis: int) -> Any:
    """The logits along `axis` that `y_pred` is or came from, or None."""
    if from_logits:
        return y_pred
    return attached(y_pred, "softmax_logits") if axis in (-1, y_pred.ndim - 1) else None


def smooth_binary(y_true: Any, label_smoothing: float) -> Any:
    """Targets moved towards one half."""
    check_smoothing(label_smoothing)
    return y_true * (1 - label_smoothing) + 0.5 * label_smoothing if label_smoothing else y_true


def smooth_classes(y_true: Any, label_smoothing: float, axis: int) -> Any:
    """Targets moved towards the even distribution over `axis`."""
    check_smoothing(label_smoothing)
    if not label_smoothing:
        return y_true
    return y_true * (1 - label_smoothing) + label_smoothing / y_true.shape[axis]


def _labels(y_true: Any, y_pred: Any, axis: int) -> Any:
    """Class numbers of shape ``y_pred.shape`` without `axis`."""
    labels = jnp.asarray(y_true)
    if labels.ndim == y_pred.ndim and labels.shape[axis] == 1:
        labels = jnp.squeeze(labels, axis)
    place = axis % y_pred.ndim
    wanted = (*y_pred.shape[:place], *y_pred.shape[place + 1 :])
    if labels.shape != wanted:
        raise ValueError(
            f"y_true has shape {labels.shape} and y_pred has shape {y_pred.shape}; class labels "
            f"for it must have shape {wanted}. For one-hot targets use categorical_crossentropy."
        )
    return labels.astype(jnp.int32)


@register("loss", "bce", "BCE")
@row_wise(averages=True)
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Mean over `axis` of ``-(y log p + (1 - y) log(1 - p))``.

    Args:
        y_true: probabilities or labels 0 and 1, of the shape of `y_pred`.
        y_pred: probabilities, or logits with `from_logits`.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: from 0 to 1, how far to move targets towards one half.
        axis: axis of the mean.
    """
    y_true, y_pred = pair(y_true, y_pred, equal=True, wide=True)
    logits = binary_logits(y_pred, from_logits)
    values = bernoulli_entropy(smooth_binary(y_true, label_smoothing), y_pred, logits)
    return jnp.mean(values, axis=axis)


@register("loss")
@row_wise
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """``-sum(y log p)`` over the classes.

    Args:
        y_true: one-hot or other distributions over `axis`, of the shape of `y_pred`.
        y_pred: probabilities, scaled to sum to 1, or logits with `from_logits`.
        from_logits: whether `y_pred` holds logits.
        label_smoothing: from 0 to 1, the share of each target spread over all classes.
        axis: axis of the classes.
    """
    y_true, y_pred = pair(y_true, y_pred, equal=True, wide=True)
    logits = class_logits(y_pred, from_logits, axis)
    if logits is not None and axis in (-1, y_pred.ndim - 1):
        check_smoothing(label_smoothing)
        if isinstance(label_smoothing, (int, float)):
            return entropy(logits, y_true, label_smoothing)
    logp = log_probabilities(y_pred, logits, axis)
    return -jnp.sum(smooth_classes(y_true, label_smoothing, axis) * logp, axis=axis)


@register("loss")
@row_wise
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """``-log p`` of the labelled class.

    Args:
        y_true: class numbers, of the shape of `y_pred` without `axis` or with size 1 there.
            A number that is no class gives 0.
        y_pred: probabilities, scaled to sum to 1, or logits with `from_logits`.
        from_logits: whether `y_pred` holds logits.
        ignore_class: a label that gives 0, and that loss classes do not count in the mean.
        axis: axis of the classes.
    """
    y_pred = floats(y_pred, wide=True)
    labels = _labels(y_true, y_pred, axis)
    valid = None if ignore_class is None else labels != ignore_class
    labels = labels if valid is None else jnp.where(valid, labels, -1)
    logits = class_logits(y_pred, from_logits, axis)
    if logits is not None and axis in (-1, y_pred.ndim - 1):
        values = label_entropy(logits, labels)
    elif logits is not None:
        values = -pick(jax.nn.log_softmax(logits, axis), labels, axis)
    else:
        p = clip_probabilities(pick(y_pred, labels, axis) / jnp.sum(y_pred, axis=axis))
        known = (labels >= 0) & (labels < y_pred.shape[axis])
        values = jnp.where(known, -jnp.log(p), 0)
    if valid is not None:
        attach(values, "mask", valid)
    return values


@register("loss")
@row_wise
def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float) -> Any:
    """``(1 - p ** q) / q`` of the labelled class (Zhang & Sabuncu 2018).

    Between the cross-entropy (`q` near 0) and the absolute error (near 1), against wrong labels.

    Args:
        y_true: class numbers, ``(…)`` or ``(…, 1)``.
        y_pred: probabilities ``(…, classes)``.
        q: between 0 and 1.
    """
    y_pred = floats(y_pred, wide=True)
    p = pick(y_pred, _labels(y_true, y_pred, -1), -1)
    return (1 - jnp.maximum(p, config.epsilon() ** 2) ** q) / q


@register("loss")
class BinaryCrossentropy(NamedLoss):
    """See `binary_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        check_smoothing(label_smoothing)
        super().__init__(
            binary_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("loss")
class CategoricalCrossentropy(NamedLoss):
    """See `categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        check_smoothing(label_smoothing)
        super().__init__(
            categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


@register("loss")
class SparseCategoricalCrossentropy(NamedLoss):
    """See `sparse_categorical_crossentropy`."""

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            reduction,
            name,
            dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


@register("loss")
class CategoricalGeneralizedCrossEntropy(NamedLoss):
    """See `categorical_generalized_cross_entropy`.

    Raises:
        ValueError: unless `q` is between 0 and 1.
    """

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = "sum_over_batch_size",
        name: str = "categorical_generalized_cross_entropy",
        dtype: Any = None,
    ) -> None:
        if not 0 < q < 1:
            raise ValueError(f"q must be between 0 and 1, neither of them; got {q!r}.")
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
