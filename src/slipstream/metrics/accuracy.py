"""Accuracies: how often predictions hit their target."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.losses.arrays import match_ranks
from slipstream.losses.base import row_wise
from slipstream.metrics.reduction import FunctionMetric, metric_function


def _hits(found: Any) -> Any:
    return found.astype(config.floatx())


def _accuracy(y_true: Any, y_pred: Any) -> Any:
    y_true, y_pred = match_ranks(jnp.asarray(y_true), jnp.asarray(y_pred))
    return _hits(y_true == y_pred)


@metric_function
@row_wise
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where ``y_pred > threshold`` agrees with a target of 0 or 1, else 0, elementwise."""
    y_true, y_pred = match_ranks(jnp.asarray(y_true), jnp.asarray(y_pred))
    return _hits(y_true == (y_pred > threshold).astype(y_true.dtype))


@metric_function
@row_wise
def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest entries of both are in the same place, else 0.

    Args:
        y_true: one-hot targets, ``(…, classes)``.
        y_pred: scores, ``(…, classes)``.

    Returns:
        ``(…)`` hits.

    Raises:
        ValueError: if the shapes differ.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    _check_one_hot("categorical_accuracy", y_true, y_pred)
    return _hits(jnp.argmax(y_true, axis=-1) == jnp.argmax(y_pred, axis=-1))


@metric_function
@row_wise
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest score is that of the target class, else 0.

    Args:
        y_true: class numbers, ``(…)`` or ``(…, 1)``.
        y_pred: scores, ``(…, classes)``.

    Returns:
        ``(…)`` hits.

    Raises:
        ValueError: if the shapes do not fit.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    best = jnp.argmax(y_pred, axis=-1)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = y_true[..., 0]
    _check_classes("sparse_categorical_accuracy", y_true, y_pred)
    hits = _hits(y_true == best)
    return hits[..., 0] if hits.ndim > 1 and hits.shape[-1] == 1 else hits


@metric_function
@row_wise
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where fewer than `k` scores are above that of the target class, else 0.

    Args:
        y_true: one-hot targets, ``(…, classes)``.
        y_pred: scores, ``(…, classes)``.
        k: how many scores are looked at.

    Returns:
        ``(…)`` hits.

    Raises:
        ValueError: if the shapes differ.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    _check_one_hot("top_k_categorical_accuracy", y_true, y_pred)
    return sparse_top_k_categorical_accuracy(jnp.argmax(y_true, axis=-1), y_pred, k=k)


@metric_function
@row_wise
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Any:
    """1 where fewer than `k` scores are above that of the target class, else 0.

    Args:
        y_true: class numbers, ``(…)`` or ``(…, 1)``.
        y_pred: scores, ``(…, classes)``; with `from_sorted_ids` class numbers, best first.
        k: how many scores are looked at.
        from_sorted_ids: whether `y_pred` holds class numbers.

    Returns:
        Hits in the shape of `y_true`; 0 for a class that does not exist or whose score is nan.

    Raises:
        ValueError: if the shapes do not fit.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    shape = y_true.shape
    if y_true.ndim == y_pred.ndim and shape[-1] == 1:
        y_true = y_true[..., 0]
    _check_classes("sparse_top_k_categorical_accuracy", y_true, y_pred)
    if from_sorted_ids:
        hits = jnp.any(y_true[..., None] == y_pred[..., :k], axis=-1)
    else:
        chosen = y_true[..., None].astype(jnp.int32) == jnp.arange(y_pred.shape[-1])
        score = jnp.sum(jnp.where(chosen, y_pred, 0), axis=-1)
        above = jnp.sum(y_pred > score[..., None], axis=-1)
        hits = jnp.any(chosen, axis=-1) & ~jnp.isnan(score) & (above < k)
    return _hits(hits).reshape(shape)


def _check_one_hot(name: str, y_true: Any, y_pred: Any) -> None:
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"{name} needs y_true (one-hot) and y_pred (scores) of one shape; got y_true "
            f"{y_true.shape} and y_pred {y_pred.shape}. For class numbers use sparse_{name}."
        )


def _check_classes(name: str, y_true: Any, y_pred: Any) -> None:
    if y_true.shape != y_pred.shape[:-1]:
        raise ValueError(
            f"{name} needs one class number in y_true for each row of scores in y_pred; got "
            f"y_true {y_true.shape} and y_pred {y_pred.shape}. For one-hot targets use "
            f"{name.removeprefix('sparse_')}."
        )


@register("metric")
class Accuracy(FunctionMetric):
    """How often prediction and target are equal.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "up"

    def __init__(self, name: str = "accuracy", dtype: Any = None) -> None:
        super().__init__(_accuracy, name, dtype)


@register("metric")
class BinaryAccuracy(FunctionMetric):
    """How often ``y_pred > threshold`` agrees with a target of 0 or 1.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
        threshold: a prediction above it stands for 1.
    """

    direction = "up"

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


@register("metric")
class CategoricalAccuracy(FunctionMetric):
    """How often the largest score is that of the one-hot target, ``(batch, …, classes)``.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "up"

    def __init__(self, name: str = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@register("metric")
class SparseCategoricalAccuracy(FunctionMetric):
    """How often the largest score is that of the target's class number.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "up"

    def __init__(self, name: str = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@register("metric")
class TopKCategoricalAccuracy(FunctionMetric):
    """How often the one-hot target's class is among the `k` largest scores.

    Args:
        k: how many scores are looked at.
        name: name of the metric.
        dtype: type of sums and result.
    """

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


@register("metric")
class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the target's class number is among the `k` largest scores.

    Args:
        k: how many scores are looked at.
        name: name of the metric.
        dtype: type of sums and result.
        from_sorted_ids: whether predictions are class numbers, best first, not scores.
    """

    direction = "up"
    unsaid = {"from_sorted_ids": False}

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy, name, dtype, k=k, from_sorted_ids=from_sorted_ids
        )
