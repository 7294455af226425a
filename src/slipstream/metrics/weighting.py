"""How weights enter: a weight of 0 takes its row out altogether, whatever is in it."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from slipstream.losses.arrays import match_ranks


def check_same_shape(metric: Any, y_true: Any, y_pred: Any) -> None:
    """Raise a ValueError that names the metric and both shapes unless they are equal."""
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"Metric {metric.name!r} ({type(metric).__name__}) needs y_true and y_pred of one "
            f"shape; got y_true {y_true.shape} and y_pred {y_pred.shape}. Reshape the targets, or "
            "check the model's last layer."
        )


def widen(weights: Any, ndim: int) -> Any:
    """Append axes of size 1 up to `ndim`, so that row weights reach all of a row."""
    return weights.reshape(weights.shape + (1,) * (ndim - weights.ndim))


def combine_mask(weights: Any, mask: Any, dtype: str) -> Any:
    """Weights that are 0 wherever `mask` is false; either may be None."""
    if mask is None:
        return weights
    mask = jnp.asarray(mask, dtype)
    if weights is None:
        return mask
    weights, mask = match_ranks(jnp.asarray(weights, dtype), mask)
    ndim = max(weights.ndim, mask.ndim)
    return widen(weights, ndim) * widen(mask, ndim)


def weigh(values: Any, weights: Any) -> Any:
    """`values` times `weights`, and 0 where the weight is 0 whatever the value is there."""
    return values if weights is None else jnp.where(weights != 0, values * weights, 0)


def element_weights(metric: Any, weights: Any, like: Any) -> Any:
    """Weights spread over every element of `like`, in its type.

    Args:
        weights: a scalar, ``(batch,)`` or anything up to the full shape.

    Raises:
        ValueError: if the shapes do not fit.
    """
    weights = jnp.asarray(weights, like.dtype)
    while weights.ndim > like.ndim and weights.shape[-1] == 1:
        weights = weights[..., 0]
    if weights.ndim <= like.ndim:
        weights = widen(weights, like.ndim) if weights.ndim else weights
        if all(size in (1, full) for size, full in zip(weights.shape, like.shape)):
            return jnp.broadcast_to(weights, like.shape)
    raise _misfit(metric, weights, like)


def row_sums(metric: Any, values: Any, weights: Any, mean: bool) -> tuple[Any, Any]:
    """Sum over the rows of each row's value, and the sum of the rows' weights.

    Args:
        values: ``(batch, …)`` or a scalar.
        weights: a scalar (the weight of the whole update), ``(batch,)`` or up to the shape of
            `values`; None for 1.
        mean: whether a row's value is the mean or the sum of its elements.

    Raises:
        ValueError: if the shapes do not fit.
    """
    if weights is None:
        count = values.shape[0] if values.ndim else 1
        return _wide_sum(values) / (_row_size(values.shape[1:]) if mean else 1), count
    values, weights = match_ranks(values, jnp.asarray(weights, values.dtype))
    known = values.shape[: weights.ndim]
    if weights.ndim > values.ndim or any(w not in (1, v) for w, v in zip(weights.shape, known)):
        raise _misfit(metric, weights, values)
    weights = jnp.broadcast_to(weights, known)
    total = _wide_sum(weigh(values, widen(weights, values.ndim)))
    if mean:
        total = total / _row_size(values.shape[min(1, weights.ndim) :])
    return total, _wide_sum(weights) / _row_size(known[1:])


def _wide_sum(values: Any) -> Any:
    """The sum in at least float32: that of all elements may overflow where row means do not."""
    half = jnp.issubdtype(values.dtype, jnp.floating) and values.dtype.itemsize < 4
    return jnp.sum(values, dtype=jnp.float32 if half else None)


def _row_size(shape: tuple[int, ...]) -> int:
    return max(math.prod(shape), 1)


def ratio(numerator: Any, denominator: Any) -> Any:
    """``numerator / denominator``, and 0 where the denominator is 0."""
    empty = denominator == 0
    return jnp.where(empty, 0, numerator / jnp.where(empty, 1, denominator))


def _misfit(metric: Any, weights: Any, values: Any) -> ValueError:
    return ValueError(
        f"Metric {metric.name!r} ({type(metric).__name__}) got sample_weight of shape "
        f"{weights.shape} for values of shape {values.shape}. Give one weight for each row, "
        f"{values.shape[:1]}, or one for each value."
    )
