"""Arrays one after the other along an axis, and an array cut into parts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import ad

from slipstream.kernels import forms, native

_LEAST = 16  # numbers of a row; XLA moves shorter ones as fast


def concatenate(arrays: Sequence[Any], axis: int | None) -> Any:
    """`arrays` one after the other along `axis`, as `jnp.concatenate` joins them."""
    arrays = [jnp.asarray(array) for array in arrays]
    rank = arrays[0].ndim if arrays else 0
    if axis is None or not -rank <= axis < rank or len(arrays) < 2 or not forms.floats(*arrays):
        return jnp.concatenate(arrays, axis)
    return _join.bind(*arrays, axis=axis % rank)


def _joined(*arrays: Any, axis: int) -> Any:
    return jnp.concatenate(arrays, axis)


def _cut(x: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return tuple(jnp.split(x, np.cumsum(sizes)[:-1].tolist(), axis))


def _joined_compiled(*arrays: Any, axis: int) -> Any:
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    result = jax.ShapeDtypeStruct(tuple(shape), arrays[0].dtype)
    return native.call("join", result, *arrays, rows=prod(shape[:axis]))


def _cut_compiled(x: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    results = [
        jax.ShapeDtypeStruct((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)
        for size in sizes
    ]
    return tuple(native.call("take_apart", results, x, rows=prod(x.shape[:axis])))


def _join_fits(*arrays: Any, axis: int) -> bool:
    return all(_row(array.shape, axis, array.shape[axis]) >= _LEAST for array in arrays)


def _cut_fits(x: Any, *, axis: int, sizes: tuple[int, ...]) -> bool:
    return all(_row(x.shape, axis, size) >= _LEAST for size in sizes)


def _row(shape: tuple[int, ...], axis: int, size: int) -> int:
    """Numbers that lie together in an array that has this size on `axis`; 0 if it is empty."""
    return size * prod(shape[axis + 1 :]) if prod(shape[:axis]) else 0


def _join_transposed(cotangent: Any, *arrays: Any, axis: int) -> Any:
    linear = [ad.is_undefined_primal(array) for array in arrays]
    sizes = tuple(
        (array.aval if unknown else array).shape[axis] for array, unknown in zip(arrays, linear)
    )
    found = _take_apart.bind(ad.instantiate_zeros(cotangent), axis=axis, sizes=sizes)
    return [part if unknown else None for part, unknown in zip(found, linear)]


def _cut_transposed(cotangents: Any, x: Any, *, axis: int, sizes: tuple[int, ...]) -> Any:
    return [_join.bind(*map(ad.instantiate_zeros, cotangents), axis=axis)]


_join = forms.operation("join", _joined, _joined_compiled, _join_fits, quick=True)
_take_apart = forms.operation("take_apart", _cut, _cut_compiled, _cut_fits, True, quick=True)
ad.deflinear2(_join, _join_transposed)
ad.deflinear2(_take_apart, _cut_transposed)
