"""Whole numbers as vectors of zeros and ones, and other forms of arrays that networks take."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_float

op = operation("nn")
with_type = operation("nn", filled={"dtype": config.floatx})


def _refuse_sparse(name: str, sparse: bool) -> None:
    if sparse:
        raise ValueError(f"{name}: sparse results are not supported; leave out sparse=True.")


@with_type
def one_hot(
    x: Array, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False
) -> Any:
    """1 at the place of each number along a new axis of size `num_classes`, 0 elsewhere.

    A number outside ``[0, num_classes)`` gives zeros only.
    """
    _refuse_sparse("one_hot", sparse)
    return jax.nn.one_hot(jnp.asarray(x), num_classes, dtype=dtype or config.floatx(), axis=axis)


@with_type
def multi_hot(
    inputs: Array,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: Any = None,
    sparse: bool = False,
) -> Any:
    """1 at the places of all numbers of a row: ``(batch, size)`` to ``(batch, num_classes)``.

    Args:
        axis: of the classes in the result.
    """
    _refuse_sparse("multi_hot", sparse)
    if num_classes is None:
        raise ValueError("multi_hot needs num_classes.")
    inputs = jnp.asarray(inputs)
    rows = 1 if inputs.ndim > 1 else 0
    hot = jax.nn.one_hot(inputs, num_classes, dtype=dtype or config.floatx(), axis=axis)
    return jnp.max(hot, axis=rows if axis in (-1, hot.ndim - 1) else -1)


@op
def normalize(x: Array, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """`x` divided by its norm along `axis`; a norm below `epsilon` counts as `epsilon`."""
    x = as_float(x)
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    epsilon = config.epsilon() if epsilon is None else epsilon
    if order == 2:  # the root's gradient is infinite at 0
        squares = jnp.sum(jnp.square(x), axes, keepdims=True)
        return x * jax.lax.rsqrt(jnp.maximum(squares, epsilon**2)).astype(x.dtype)
    if order == float("inf"):
        norm = jnp.max(jnp.abs(x), axes, keepdims=True)
    else:
        norm = jnp.sum(jnp.abs(x) ** order, axes, keepdims=True) ** (1.0 / order)
    return x / jnp.maximum(norm, epsilon)


@operation("nn", "PSNR")
def psnr(x1: Array, x2: Array, max_val: float) -> Any:
    """Peak signal-to-noise ratio of two arrays in decibels: ``10 log10(max_val² / mse)``."""
    difference = as_float(x1) - as_float(x2)
    error = jnp.mean(jnp.square(difference))
    return 20 * jnp.log10(jnp.asarray(max_val, error.dtype)) - 10 * jnp.log10(error)
