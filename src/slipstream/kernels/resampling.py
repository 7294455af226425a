"""Linear interpolation along axes, as sums over the few positions that each result lies between.

The gradient is a sum of the same kind, from the transposed weights: nothing is scattered.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from slipstream.kernels import forms

# With more positions to a result, a matrix product is quicker.
_MOST = 8


def resize_linear(x: Any, shape: Sequence[int], antialias: bool = False) -> Any:
    """`x` with another size along some axes, as `jax.image.resize` does it with ``"linear"``.

    Args:
        x: of a floating type.
        shape: of the result, with as many axes.
        antialias: widen the filter along axes that become shorter.
    """
    for axis, (size, wanted) in enumerate(zip(x.shape, shape)):
        if size == wanted:
            continue
        if 0 in (size, wanted) or _taps(size, wanted, antialias, False)[1].shape[1] > _MOST:
            one = [wanted if i == axis else n for i, n in enumerate(x.shape)]
            x = jax.image.resize(x, one, "linear", antialias=antialias)
        else:
            x = resample.bind(
                x, axis=axis, sizes=(size, wanted), antialias=antialias, backward=False
            )
    return x


@lru_cache
def _taps(size: int, wanted: int, antialias: bool, backward: bool) -> tuple[Any, Any]:
    """Where each result's positions begin, and their weights ``(results, positions)``."""
    places = (np.arange(wanted) + 0.5) * size / wanted - 0.5
    reach = max(size / wanted, 1.0) if antialias else 1.0
    weights = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(size)) / reach)
    weights /= weights.sum(1, keepdims=True)
    if backward:
        weights = weights.T
    used = weights != 0
    first = used.argmax(1)
    count = np.max(np.where(used.any(1), weights.shape[1] - used[:, ::-1].argmax(1) - first, 1))
    first = np.minimum(first, weights.shape[1] - count)
    return first, np.take_along_axis(weights, first[:, None] + np.arange(count), 1)


def _resample(x: Any, *, axis: int, sizes: tuple[int, int], antialias: bool, backward: bool) -> Any:
    first, weights = _taps(*sizes, antialias, backward)
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    total: Any = 0
    for i, weight in enumerate(weights.T):
        shape = [-1 if a == axis else 1 for a in range(x.ndim)]
        part = jnp.take(x, first + i, axis, mode="clip", indices_are_sorted=True)
        total = total + part.astype(dtype) * jnp.asarray(weight, dtype).reshape(shape)
    return total.astype(x.dtype)


def _transposed(cotangent: Any, x: Any, *, backward: bool, **parameters: Any) -> Any:
    return [resample.bind(cotangent, backward=not backward, **parameters)]


resample = forms.operation("resample", _resample, _resample, lambda *arrays, **parameters: False)
ad.deflinear2(resample, _transposed)
