"""Means, variances and standardized arrays.

Statistics are taken in two passes: one pass over x and x² was no faster on a CPU, and in float32
has lost the variance altogether once the mean is a few thousand standard deviations. A
hand-written gradient was no faster than the one of JAX either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax


def widen(x: Any) -> Any:
    """`x` in float32, unless it is wider: sums need it."""
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def standardize(
    x: Any, axes: Sequence[int], epsilon: float, counted: Any = None
) -> tuple[Any, Any, Any]:
    """``(x - mean) / sqrt(variance + epsilon)``, with the mean and the (biased) variance.

    Args:
        x: float32 or wider.
        axes: what the statistics are taken over; they keep these axes, of size 1.
        counted: bool, with as many axes as `x`, of its sizes or 1: the positions that count, all
            if not given. Where none does, mean and variance are 0.
    """
    axes = tuple(axes)
    if counted is not None:
        sizes = zip(x.shape, counted.shape)
        counted = jnp.broadcast_to(
            counted, [n if i in axes else m for i, (n, m) in enumerate(sizes)]
        )
    mean = _mean(x, axes, counted)
    centred = x - mean
    variance = _mean(centred * centred, axes, counted)
    return centred * lax.rsqrt(variance + epsilon), mean, variance


def _mean(x: Any, axes: tuple[int, ...], counted: Any) -> Any:
    if counted is None:
        return jnp.mean(x, axes, keepdims=True)
    total = jnp.sum(counted, axes, x.dtype, keepdims=True)
    return jnp.sum(jnp.where(counted, x, 0), axes, keepdims=True) / jnp.maximum(total, 1)


def root_mean_square(x: Any, axes: Sequence[int], epsilon: float) -> Any:
    """``x / sqrt(mean(x²) + epsilon)`` (Zhang and Sennrich, 2019); `x` float32 or wider."""
    return x * lax.rsqrt(jnp.mean(x * x, tuple(axes), keepdims=True) + epsilon)
