"""Normalization by given statistics or by an array's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax

from slipstream.core import config
from slipstream.core.operation import Array, operation
from slipstream.kernels.normalization import root_mean_square, standardize, widen
from slipstream.ops.define import as_float


def _along(x: Any, values: Any, axes: Sequence[int]) -> Any:
    """`values`, of the sizes of `axes`, shaped to broadcast against `x`."""
    shape = [1] * x.ndim
    for axis in axes:
        shape[axis] = x.shape[axis]
    return widen(jnp.asarray(values)).reshape(shape)


def _axes(x: Any, axis: int | Sequence[int]) -> list[int]:
    return sorted(a % x.ndim for a in ([axis] if isinstance(axis, int) else axis))


@operation("nn", "BatchNorm", named=[])
def batch_normalization(
    x: Array,
    mean: Array,
    variance: Array,
    axis: int,
    offset: Array | None = None,
    scale: Array | None = None,
    epsilon: float = 1e-3,
) -> Any:
    """``(x - mean) / sqrt(variance + epsilon) * scale + offset`` (Ioffe & Szegedy 2015).

    Args:
        mean, variance, offset, scale: one number for each place along `axis`.
    """
    x = as_float(x)
    wide = widen(x)
    factor = lax.rsqrt(_along(x, variance, [axis]) + epsilon)
    if scale is not None:
        factor = factor * _along(x, scale, [axis])
    shift = -_along(x, mean, [axis]) * factor
    if offset is not None:
        shift = shift + _along(x, offset, [axis])
    return (wide * factor + shift).astype(x.dtype)


@operation("nn", "LayerNorm")
def layer_normalization(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
    rms_scaling: bool = False,
) -> Any:
    """`x` with mean 0 and variance 1 over `axis`, times `gamma`, plus `beta` (Ba et al. 2016).

    Args:
        gamma, beta: of the sizes of `axis`.
        epsilon: added to the variance; `config.epsilon()` if not given.
        rms_scaling: scale by the variance without subtracting the mean, kept for old models; use
            `rms_normalization`.
    """
    x = as_float(x)
    epsilon = config.epsilon() if epsilon is None else epsilon
    axes, wide = _axes(x, axis), widen(x)
    if rms_scaling:
        result = wide * lax.rsqrt(jnp.var(wide, tuple(axes), keepdims=True) + epsilon)
    else:
        result = standardize(wide, axes, epsilon)[0]
    if gamma is not None:
        result = result * _along(x, gamma, axes)
    if beta is not None and not rms_scaling:
        result = result + _along(x, beta, axes)
    return result.astype(x.dtype)


@operation("nn", "RMSNorm", named=["scale"])
def rms_normalization(
    x: Array,
    scale: Array | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float | None = None,
) -> Any:
    """``x / sqrt(mean(x²) + epsilon) * scale`` over `axis` (Zhang & Sennrich 2019).

    Args:
        scale: of the sizes of `axis`.
        epsilon: `config.epsilon()` if not given.
    """
    x = as_float(x)
    axes = _axes(x, axis)
    result = root_mean_square(widen(x), axes, config.epsilon() if epsilon is None else epsilon)
    if scale is not None:
        result = result * _along(x, scale, axes)
    return result.astype(x.dtype)
