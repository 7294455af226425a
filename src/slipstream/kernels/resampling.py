"""Positions along axes repeated, interpolated, averaged or put between zeros: weighted sums.

The gradient is a sum of the same kind, from the transposed weights: nothing is scattered. On the
CPU both have a form of our own, which goes along all axes at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.interpreters import ad, batching

from slipstream.kernels import forms, native

# With more positions to a result, a matrix product is quicker.
_MOST = 8


class Axis(NamedTuple):
    """How one axis changes.

    Attributes:
        place: which axis.
        size, wanted: how long it is, and will be.
        way: ``"repeat"``, ``"linear"``, ``"smooth"`` (linear and, where it becomes shorter, with a
            wider filter), ``"mean"`` (of parts of nearly equal length, see `parts`) or ``"shift"``.
        low: where the first position goes when shifted, after zeros; if negative, it is cut off.
    """

    place: int
    size: int
    wanted: int
    way: str
    low: int = 0


def repeat(x: Any, factors: Sequence[int], axes: Sequence[int]) -> Any:
    """`x` with each position along each of `axes` in so many copies, as `jnp.repeat` makes them."""
    changes = tuple(
        Axis(axis, x.shape[axis], x.shape[axis] * factor, "repeat")
        for axis, factor in sorted(zip(axes, factors))
        if factor != 1
    )
    return _changed(x, changes)


def pad(x: Any, margins: Sequence[tuple[int, int]]) -> Any:
    """`x` with so many zeros before and after each axis; a negative number cuts positions off.

    Args:
        x: array.
        margins: ``(before, after)`` for each axis.
    """
    changes = tuple(
        Axis(place, size, size + before + after, "shift", before)
        for place, (size, (before, after)) in enumerate(zip(x.shape, margins))
        if before or after
    )
    return _changed(x, changes)


def resize_linear(x: Any, shape: Sequence[int], antialias: bool = False) -> Any:
    """`x` with another size along some axes, as `jax.image.resize` does it with ``"linear"``.

    Args:
        x: of a floating type.
        shape: of the result, with as many axes.
        antialias: widen the filter along axes that become shorter.
    """
    changes = []
    for place, (size, wanted) in enumerate(zip(x.shape, shape)):
        axis = Axis(place, size, wanted, "smooth" if antialias else "linear")
        if size == wanted:
            continue
        if 0 in (size, wanted) or _taps(axis, False)[1].shape[1] > _MOST:
            one = [wanted if i == place else n for i, n in enumerate(x.shape)]
            x = jax.image.resize(x, one, "linear", antialias=antialias)
        else:
            changes.append(axis)
    return _changed(x, tuple(changes))


def average_parts(x: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """Mean over `parts` of each of `axes`, in ascending order, as many as `sizes` says.

    Args:
        x: of a floating type.
    """
    changes = (Axis(axis, x.shape[axis], size, "mean") for size, axis in zip(sizes, axes))
    return _changed(x, tuple(axis for axis in changes if axis.size != axis.wanted))


def parts(length: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `number` parts of an axis starts and stops, shared positions counted in both.

    Raises:
        ValueError: if the axis is empty.
    """
    if length < 1:
        raise ValueError(f"An axis of size {length} cannot be pooled to size {number}.")
    index = np.arange(number)
    return index * length // number, -(-(index + 1) * length // number)


def _changed(x: Any, axes: tuple[Axis, ...]) -> Any:
    if not axes or x.size == 0 or not jnp.issubdtype(x.dtype, jnp.floating):
        return _reference(x, axes=axes, backward=False)
    return resample.bind(x, axes=axes, backward=False)


@lru_cache
def _taps(axis: Axis, backward: bool) -> tuple[Any, Any]:
    """Where each result's positions begin, and their weights ``(results, positions)``."""
    results, positions, weights = _shares(axis)
    length, other = axis.wanted, axis.size
    if backward:
        results, positions, length, other = positions, results, other, length
    first, last = np.full(length, other), np.full(length, -1)
    np.minimum.at(first, results, positions)
    np.maximum.at(last, results, positions)
    count = max(1, np.max(last - first) + 1)
    first = np.minimum(first, other - count)
    table = np.zeros((length, count))
    table[results, positions - first[results]] = weights
    return first, table


def _shares(axis: Axis) -> tuple[Any, Any, Any]:
    """Which result takes how much of which position: three lists, without zeros."""
    _, size, wanted, way, low = axis
    results = np.arange(wanted)
    if way == "shift":
        results = results[max(low, 0) : max(size + low, 0)]
        return results, results - low, np.ones(len(results))
    if way == "repeat":
        return results, results // (wanted // size), np.ones(wanted)
    if way == "mean":
        starts, stops = parts(size, wanted)
        lengths = stops - starts
        ends = np.cumsum(lengths)
        positions = np.arange(ends[-1]) - np.repeat(ends - lengths - starts, lengths)
        return np.repeat(results, lengths), positions, np.repeat(1 / lengths, lengths)
    places = (results + 0.5) * size / wanted - 0.5
    reach = max(size / wanted, 1.0) if way == "smooth" else 1.0
    positions = np.ceil(places - reach)[:, None] + np.arange(int(2 * reach) + 1)
    weights = np.maximum(0, 1 - np.abs(places[:, None] - positions) / reach)
    weights *= (positions >= 0) & (positions < size)
    weights /= weights.sum(1, keepdims=True)
    results = np.broadcast_to(results[:, None], weights.shape)
    used = weights != 0
    return results[used], positions[used].astype(int), weights[used]


def _reference(x: Any, *, axes: tuple[Axis, ...], backward: bool) -> Any:
    dtype = x.dtype
    for axis in axes:
        x = _WAYS.get(axis.way, _interpolated)(x, axis, backward)
    return x.astype(dtype)


def _shifted(x: Any, axis: Axis, backward: bool) -> Any:
    place, size, wanted, _, low = axis
    ends = (low, wanted - size - low)
    here = tuple(-end for end in ends) if backward else ends
    widths: Any = [(*(here if i == place else (0, 0)), 0) for i in range(x.ndim)]
    return lax.pad(x, np.zeros((), x.dtype), widths)


def _repeated(x: Any, axis: Axis, backward: bool) -> Any:
    place, size, wanted, _, _ = axis
    if not backward:
        return jnp.repeat(x, wanted // size, place, total_repeat_length=wanted)
    return x.reshape(*x.shape[:place], size, wanted // size, *x.shape[place + 1 :]).sum(place + 1)


def _interpolated(x: Any, axis: Axis, backward: bool) -> Any:
    first, weights = _taps(axis, backward)
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    total: Any = 0
    for i, weight in enumerate(weights.T):
        shape = [-1 if a == axis.place else 1 for a in range(x.ndim)]
        part = jnp.take(x, first + i, axis.place, mode="clip", indices_are_sorted=True)
        total = total + part.astype(dtype) * jnp.asarray(weight, dtype).reshape(shape)
    return total.astype(x.dtype)


def _averaged(x: Any, axis: Axis, backward: bool) -> Any:
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    results, positions, weights = _shares(axis)
    matrix = np.zeros((axis.size, axis.wanted), dtype)
    matrix[positions, results] = weights
    product = jnp.tensordot(
        x.astype(dtype), matrix, (axis.place, int(backward)), precision="highest"
    )
    return jnp.moveaxis(product, -1, axis.place)


_WAYS = {"repeat": _repeated, "shift": _shifted, "mean": _averaged}


def _view(shape: Sequence[int], axes: tuple[Axis, ...]) -> list[Axis | int]:
    """The axes from the first that changes to the last; sizes of those between that do not."""
    changes = {axis.place: axis for axis in axes}
    found: list[Axis | int] = []
    for place in range(axes[0].place, axes[-1].place + 1):
        last = found[-1] if found else None
        if place in changes:
            found.append(changes[place])
        elif isinstance(last, int):
            found[-1] = last * shape[place]
        else:
            found.append(shape[place])
    return found


def _compiled(x: Any, *, axes: tuple[Axis, ...], backward: bool) -> Any:
    """One call on a view ``(batch, three axes, channels)``."""
    changed = _view(x.shape, axes)
    view = [*[1] * (3 - len(changed)), *changed]
    tables = [
        _taps(axis, backward) if isinstance(axis, Axis) else (np.arange(axis), np.ones((axis, 1)))
        for axis in view
    ]
    sizes = [axis[1 + backward] if isinstance(axis, Axis) else axis for axis in view]
    batch, channels = prod(x.shape[: axes[0].place]), prod(x.shape[axes[-1].place + 1 :])
    y = native.call(
        "resample",
        jax.ShapeDtypeStruct((batch, *(len(first) for first, _ in tables), channels), x.dtype),
        x.reshape(batch, *sizes, channels),
        jnp.asarray(np.concatenate([first for first, _ in tables]), jnp.int32),
        jnp.asarray(np.concatenate([weights.ravel() for _, weights in tables]), jnp.float32),
        taps=[weights.shape[1] for _, weights in tables],
    )
    shape = list(x.shape)
    for axis in axes:
        shape[axis.place] = axis.size if backward else axis.wanted
    return y.reshape(shape)


def _supports(x: Any, *, axes: tuple[Axis, ...], backward: bool) -> bool:
    # Vectors run along the channels. Where a few of these are only moved, the compiler is quicker.
    channels = prod(x.shape[axes[-1].place + 1 :])
    moved = all(axis.way == "shift" for axis in axes)
    fills = channels >= (8 if moved else 3)
    return forms.floats(x) and x.size > 0 and fills and len(_view(x.shape, axes)) <= 3


def _transposed(cotangent: Any, x: Any, *, backward: bool, **how: Any) -> Any:
    return [resample.bind(cotangent, backward=not backward, **how)]


def _batched(arrays: Any, places: Any, *, axes: tuple[Axis, ...], backward: bool) -> Any:
    moved = tuple(axis._replace(place=axis.place + 1) for axis in axes)
    x = jnp.moveaxis(arrays[0], places[0], 0)
    return resample.bind(x, axes=moved, backward=backward), 0


resample = forms.operation("resample", _reference, _compiled, _supports)
ad.deflinear2(resample, _transposed)
batching.primitive_batchers[resample] = _batched
