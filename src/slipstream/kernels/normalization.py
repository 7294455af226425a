"""Means, variances and standardized arrays.

The reference takes statistics in two passes: in float32, x and x² in one have lost the variance
altogether once the mean is a few thousand standard deviations. Two operations have forms of our own
on the CPU: along the rows of a matrix, and down the columns of each of some matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.kernels import forms, native


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


def layer_norm(
    x: Any,
    axes: Sequence[int],
    scale: Any = None,
    offset: Any = None,
    epsilon: float = 1e-3,
    centred: bool = True,
) -> Any:
    """Each example standardized by itself, times `scale`, plus `offset`; of the type of `x`.

    Args:
        x: floats.
        axes: what the statistics are taken over, counted from the front and in order.
        scale, offset: of the sizes of `axes`.
        centred: if False, divide by the root of the mean square, and add no offset.
    """
    axes = tuple(axes)
    sizes = [x.shape[axis] for axis in axes]
    if axes == tuple(range(x.ndim - len(axes), x.ndim)):
        length = prod(sizes)
        rows = x.reshape(prod(x.shape[: axes[0]]), length)
        scale, offset = _each(scale, length, 1, x), _each(offset, length, 0, x)
        return _rows(rows, scale, offset, centred=centred, epsilon=float(epsilon))[0].reshape(
            x.shape
        )
    wide, beside = widen(x), [n if axis in axes else 1 for axis, n in enumerate(x.shape)]
    if centred:
        result = standardize(wide, axes, epsilon)[0]
    else:
        result = root_mean_square(wide, axes, epsilon)
    if scale is not None:
        result = result * widen(scale).reshape(beside)
    if offset is not None and centred:
        result = result + widen(offset).reshape(beside)
    return result.astype(x.dtype)


def group_norm(
    x: Any, groups: int, scale: Any = None, offset: Any = None, epsilon: float = 1e-3
) -> Any:
    """Each group of each example standardized by itself, times `scale`, plus `offset`.

    Args:
        x: floats ``(batch, …, channels)``; the result is of their type.
        groups: number of runs of channels.
        scale, offset: ``(channels,)``.
    """
    channels = x.shape[-1]
    y, _, _ = _columns(
        x.reshape(x.shape[0], prod(x.shape[1:-1]), channels),
        _each(scale, channels, 1, x),
        _each(offset, channels, 0, x),
        _everywhere(),
        groups=groups,
        epsilon=float(epsilon),
    )
    return y.reshape(x.shape)


def batch_norm(
    x: Any, scale: Any = None, offset: Any = None, epsilon: float = 1e-3, counted: Any = None
) -> tuple[Any, Any, Any]:
    """Each channel standardized over all else, times `scale`, plus `offset`; mean; variance.

    Args:
        x: floats ``(…, channels)``; the result is of their type, the statistics ``(channels,)``
            float32 or wider.
        scale, offset: ``(channels,)``.
        counted: bool, of the sizes of `x` or 1 and of size 1 at the end: the positions that count.
            Where none does, mean and variance are 0.
    """
    channels = x.shape[-1]
    y, mean, variance = _columns(
        x.reshape(1, prod(x.shape[:-1]), channels),
        _each(scale, channels, 1, x),
        _each(offset, channels, 0, x),
        _everywhere() if counted is None else _marks(x, counted),
        groups=channels,
        epsilon=float(epsilon),
    )
    return y.reshape(x.shape), mean.reshape(-1), variance.reshape(-1)


def _each(values: Any, length: int, otherwise: float, x: Any) -> Any:
    """A number for each place of a row, float32 or wider."""
    if values is None:
        return jnp.full(length, otherwise, jnp.promote_types(x.dtype, jnp.float32))
    return widen(jnp.asarray(values)).reshape(-1)


def _everywhere() -> Any:
    return jnp.ones(0, bool)


def _marks(x: Any, counted: Any) -> Any:
    """`counted` as a list, each for as many positions of `x`."""
    own = counted.shape[:-1]
    split = max((i + 1 for i, n in enumerate(own) if n != 1), default=0)
    wide = (*x.shape[:split], *own[split:])
    return jnp.broadcast_to(counted.reshape(own), wide).reshape(-1)


def _rows_reference(x: Any, scale: Any, offset: Any, *, centred: bool, epsilon: float) -> Any:
    wide = widen(x)
    if centred:
        normalized, mean, variance = standardize(wide, (1,), epsilon)
        factor = lax.rsqrt(variance + epsilon)
        normalized = normalized * scale + offset
    else:
        factor = lax.rsqrt(jnp.mean(wide * wide, 1, keepdims=True) + epsilon)
        mean, normalized = jnp.zeros_like(factor), wide * factor * scale
    return (normalized.astype(x.dtype),), (mean.reshape(-1), factor.reshape(-1))


def _rows_compiled(x: Any, scale: Any, offset: Any, *, save: bool, **how: Any) -> Any:
    statistic = jax.ShapeDtypeStruct(x.shape[:1], jnp.float32)
    results = [jax.ShapeDtypeStruct(x.shape, x.dtype), statistic, statistic]
    found = native.call("row_normalization", results, x, scale, offset, **how)
    return found if save else found[:1]


def _rows_gradient(arrays: Any, saved: Any, cotangents: Any, *, epsilon: float, **how: Any) -> Any:
    x, scale, _offset = arrays
    results = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]
    return native.call(
        "row_normalization_gradient", results, x, scale, *saved, cotangents[0], **how
    )


def _supports(x: Any, *constants: Any, **parameters: Any) -> bool:
    exact = all(array.dtype == jnp.float32 for array in constants[:2])
    return forms.floats(x) and exact and x.size > 0


_rows = forms.differentiable(
    "row_normalization", _rows_reference, _rows_compiled, _rows_gradient, _supports, 3
)


def _columns_reference(
    x: Any, scale: Any, offset: Any, counted: Any, *, groups: int, epsilon: float
) -> Any:
    examples, positions, channels = x.shape
    split = widen(x).reshape(examples, positions, groups, channels // groups)
    marks = None
    if counted.size:
        marks = jnp.repeat(counted, positions // counted.size).reshape(1, positions, 1, 1)
    normalized, mean, variance = standardize(split, (1, 3), epsilon, marks)
    statistics = mean.reshape(examples, groups), variance.reshape(examples, groups)
    y = (normalized.reshape(x.shape) * scale + offset).astype(x.dtype)
    return (y, *statistics), statistics


def _columns_compiled(
    x: Any, scale: Any, offset: Any, counted: Any, *, save: bool, groups: int, epsilon: float
) -> Any:
    statistic = jax.ShapeDtypeStruct((x.shape[0], groups), jnp.float32)
    results = [jax.ShapeDtypeStruct(x.shape, x.dtype), statistic, statistic]
    y, mean, variance = native.call(
        "column_normalization", results, x, scale, offset, counted, groups=groups, epsilon=epsilon
    )
    return (y, mean, variance, mean, variance) if save else (y, mean, variance)


def _columns_gradient(arrays: Any, saved: Any, cotangents: Any, **how: Any) -> Any:
    x, scale, _, counted = arrays
    results = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays[:3]]
    return native.call(
        "column_normalization_gradient", results, x, scale, counted, *saved, *cotangents, **how
    )


_columns = forms.differentiable(
    "column_normalization",
    _columns_reference,
    _columns_compiled,
    _columns_gradient,
    _supports,
    3,
)
