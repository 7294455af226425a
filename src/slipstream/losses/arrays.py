"""Preparing targets and predictions: types, ranks, shapes, and the logits behind a prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import config
from slipstream.core.scope import attach, attached

LOGITS = ("sigmoid_logits", "softmax_logits")


def derive(y_pred: Any, change: Callable[[Any], Any], notes: tuple[str, ...] = LOGITS) -> Any:
    """``change(y_pred)``, with `change` applied to the logits that `y_pred` remembers too."""
    changed = change(y_pred)
    for name in notes:
        logits = attached(y_pred, name)
        if logits is not None:
            attach(changed, name, change(logits))
    return changed


def to_array(value: Any, dtype: Any) -> Any:
    """`value` as an array of `dtype`: itself where it is one already, so that its notes stay."""
    if not isinstance(value, jax.Array):
        return jnp.asarray(value).astype(dtype)
    if value.dtype == dtype:
        return value
    return derive(value, lambda array: array.astype(dtype))


def match_ranks(first: Any, second: Any) -> tuple[Any, Any]:
    """Give two arrays whose ranks differ by a last axis of size 1 the same rank.

    ``(n,)`` beside ``(n, 1)`` becomes ``(n, 1)``; with more axes the last one is dropped:
    ``(n, t)`` beside ``(n, t, 1)`` gives ``(n, t)``. Other shapes are left alone.
    """
    if first.ndim == second.ndim + 1:
        second, first = match_ranks(second, first)
    elif second.ndim == first.ndim + 1 and second.shape[-1] == 1:
        if first.ndim == 1:
            first = derive(first, lambda array: array[:, None], LOGITS[:1])
        else:
            # Softmax logits lose their meaning with the axis they run along.
            second = derive(second, lambda array: array[..., 0], LOGITS[:1])
    return first, second


def floats(y_pred: Any, wide: bool = False) -> Any:
    """Predictions as an array of floats.

    Args:
        y_pred: predictions; whole numbers become `floatx()`.
        wide: whether half types become float32, for logarithms near 0 and 1.

    Raises:
        ValueError: if they have no axis.
    """
    if not isinstance(y_pred, jax.Array):
        y_pred = jnp.asarray(y_pred)
    if y_pred.ndim == 0:
        raise ValueError("y_pred is a single number; it must have a batch axis: (batch, …).")
    dtype = y_pred.dtype if jnp.issubdtype(y_pred.dtype, jnp.inexact) else config.floatx()
    return to_array(y_pred, jnp.promote_types(dtype, jnp.float32) if wide else dtype)


def pair(y_true: Any, y_pred: Any, *, equal: bool = False, wide: bool = False) -> tuple[Any, Any]:
    """Targets and predictions as arrays of the predictions' float type.

    Args:
        y_true: targets, any type.
        y_pred, wide: see `floats`.
        equal: whether the shapes must be equal rather than broadcast.

    Raises:
        ValueError: if the shapes do not fit.
    """
    y_pred = floats(y_pred, wide)
    y_true, y_pred = match_ranks(to_array(y_true, y_pred.dtype), y_pred)
    if y_true.shape != y_pred.shape and (equal or not _broadcasts(y_true.shape, y_pred.shape)):
        raise ValueError(
            f"y_true has shape {y_true.shape} and y_pred has shape {y_pred.shape}; they must "
            + ("be equal" if equal else "broadcast to each other")
            + ". Reshape the targets, or change the size of the last layer."
            + (
                " For whole-number class labels use sparse_categorical_crossentropy."
                if equal and y_true.ndim == y_pred.ndim - 1
                else ""
            )
        )
    return y_true, y_pred


def _broadcasts(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(first, second)
    except ValueError:
        return False
    return True


def check_smoothing(label_smoothing: Any) -> None:
    """Raise a ValueError if `label_smoothing` is a number outside of 0 … 1."""
    if isinstance(label_smoothing, (int, float)) and not 0 <= label_smoothing <= 1:
        raise ValueError(
            f"label_smoothing must be from 0 to 1; got {label_smoothing!r}. "
            "It is the share of the target spread over all classes; 0.1 is common."
        )
