"""Maximum and mean over a given number of parts of each axis, whatever its length."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.kernels import forms, native, pooling
from slipstream.kernels.resampling import average_parts, parts


def adaptive_max_pool(x: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """Maximum over `parts` of each of `axes`, in ascending order, as many as `sizes` says.

    The gradient goes to the first of equal elements.

    Raises:
        ValueError: if one of the axes is empty.
    """
    sizes, along = tuple(sizes), tuple(axes)
    if not jnp.issubdtype(x.dtype, jnp.floating) or x.size == 0:
        return _by_axes(x, sizes, along)
    return _largest(x, sizes=sizes, along=along)[0]


def adaptive_average_pool(x: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """Mean over `parts` of each of `axes`, in ascending order, as many as `sizes` says.

    Raises:
        ValueError: if one of the axes is empty.
    """
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    return average_parts(x, sizes, axes)


def _by_axes(x: Any, sizes: tuple[int, ...], along: tuple[int, ...]) -> Any:
    """The last axis comes first: the first of equal elements is then the first in row order."""
    for size, axis in reversed(list(zip(sizes, along))):
        starts, stops = parts(x.shape[axis], size)
        longest = int(np.max(stops - starts))
        # A short part repeats its last position, which changes no maximum.
        places = np.minimum(starts[:, None] + np.arange(longest), stops[:, None] - 1)
        window = [longest if i == axis else 1 for i in range(x.ndim)]
        x = pooling.largest_of(jnp.take(x, places.ravel(), axis), window)
    return x


def _reference(x: Any, *, sizes: tuple[int, ...], along: tuple[int, ...]) -> Any:
    best = _by_axes(x, sizes, along)
    # Where it was is saved for the compiled gradient only; the plain one searches again.
    return (best,), (jnp.zeros(best.shape, np.int32),)


def _wide(shape: Sequence[int]) -> tuple[int, ...]:
    """With three axes between batch and channels."""
    return (shape[0], *(1,) * (5 - len(shape)), *shape[1:])


def _compiled(x: Any, *, save: bool, sizes: tuple[int, ...], along: tuple[int, ...]) -> Any:
    shape = (x.shape[0], *sizes, x.shape[-1])
    results = [jax.ShapeDtypeStruct(_wide(shape), dtype) for dtype in (x.dtype, np.int32)]
    if save:
        found = native.call("adaptive_max_saving", results, x.reshape(_wide(x.shape)))
    else:
        found = native.call("adaptive_max", results[:1], x.reshape(_wide(x.shape)))
    return tuple(each.reshape(shape) for each in found)


def _gradient(arrays: Any, saved: Any, cotangents: Any, **how: Any) -> Any:
    (x,) = arrays
    dy, places = (each.reshape(_wide(each.shape)) for each in (*cotangents, *saved))
    result = jax.ShapeDtypeStruct(_wide(x.shape), x.dtype)
    return (native.call("adaptive_max_gradient", result, dy, places).reshape(x.shape),)


def _supports(x: Any, *, sizes: tuple[int, ...], along: tuple[int, ...]) -> bool:
    # Vectors run along the channels, and a place is an int32.
    suits = x.ndim <= 5 and along == tuple(range(1, x.ndim - 1)) and x.shape[-1] >= 8
    return forms.floats(x) and suits and prod(x.shape[1:-1]) < 2**31


_largest = forms.differentiable(
    "adaptive_max", _reference, _compiled, _gradient, _supports, inputs=1
)
