"""Maximum and mean over windows, in any rank.

Windows and strides have one number for each spatial axis. Inputs are ``(batch, *spatial,
channels)``, or ``(batch, channels, *spatial)`` where `channels_last` is False. With ``"same"``
padding there are ``ceil(size / stride)`` windows; what they hold beyond the input counts for
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import product
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Windows of more positions are searched one axis at a time.
_AT_ONCE = 32


def max_pool(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool = True
) -> Any:
    """Largest element of each window; its gradient goes to the first of equal ones."""
    window, strides, pads = _full(x, window, strides, padding, channels_last)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return _reduce_max(x, window, strides, pads)
    return _max(x, window, strides, pads)


def average_pool(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool = True
) -> Any:
    """Mean of what each window holds of the input, padding left out of the count."""
    window, strides, pads = _full(x, window, strides, padding, channels_last)
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    sums = x.astype(dtype)
    zero = np.zeros((), dtype)
    if strides == window:
        sums = lax.reduce_window(sums, zero, lax.add, window, strides, pads)
    else:  # overlapping windows share their parts: one axis at a time is less work
        for axis in _pooled(window, strides):
            pad = [p if i == axis else (0, 0) for i, p in enumerate(pads)]
            sums = lax.reduce_window(
                sums, zero, lax.add, _alone(window, axis), _alone(strides, axis), pad
            )
    counts = np.ones((1,) * x.ndim, dtype)
    for axis, size in enumerate(sums.shape):
        held: Any = window[axis]
        if any(pads[axis]):
            starts = np.arange(size) * strides[axis] - pads[axis][0]
            held = np.minimum(starts + held, x.shape[axis]) - np.maximum(starts, 0)
            held = held.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
        counts = counts * held
    means = sums / jnp.asarray(counts, dtype)
    return means.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else means


def _full(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[tuple[int, int], ...]]:
    """Window, strides and padding with entries for the batch and channel axes."""
    before, after = ((1,), (1,)) if channels_last else ((1, 1), ())
    window, strides = (*before, *window, *after), (*before, *strides, *after)
    pads = lax.padtype_to_pads(x.shape, window, strides, padding.upper())
    return window, strides, tuple((int(a), int(b)) for a, b in pads)


def _pooled(window: Sequence[int], strides: Sequence[int]) -> list[int]:
    """Axes that pooling changes, the last first."""
    return [i for i in reversed(range(len(window))) if window[i] > 1 or strides[i] > 1]


def _alone(sizes: Sequence[int], axis: int) -> tuple[int, ...]:
    """These sizes on one axis, 1 on the others."""
    return tuple(size if i == axis else 1 for i, size in enumerate(sizes))


def _reduce_max(x: Any, window: Any, strides: Any, pads: Any) -> Any:
    return lax.reduce_window(x, _lowest(x.dtype), lax.max, window, strides, pads)


def _lowest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return np.array(-np.inf, dtype)
    return np.array(jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.integer) else 0, dtype)


# The derivative that JAX has for reduce_window (select-and-scatter) was measured 10 to 50 times
# slower on a CPU than remembering which position of each window won.
@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3))
def _max(x: Any, window: Any, strides: Any, pads: Any) -> Any:
    return _reduce_max(x, window, strides, pads)


@_max.defjvp
def _max_jvp(window: Any, strides: Any, pads: Any, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    if any(map(any, pads)):
        widths = [(*pad, 0) for pad in pads]
        x = lax.pad(x, _lowest(x.dtype), widths)
        t = lax.pad(t, np.zeros((), t.dtype), widths)
    if prod(window) > _AT_ONCE:
        # The last axis first, so that the first of equal elements is still the first in row order.
        for axis in _pooled(window, strides):
            x, t = _follow(x, t, _alone(window, axis), _alone(strides, axis))
        return x, t
    if window == strides:
        return _follow_tiles(x, t, window)
    return _follow(x, t, window, strides)


def _first(views: Any) -> tuple[Any, Any]:
    """Elementwise maximum of equally shaped arrays, and the number of the first that has it."""
    best, *rest = views
    dtype = np.uint8 if len(rest) < 256 else np.int32
    winner = jnp.zeros(best.shape, dtype)
    for number, view in enumerate(rest, 1):
        winner = jnp.where(view > best, dtype(number), winner)
        best = jnp.maximum(best, view)
    return best, winner


def _follow(x: Any, t: Any, window: Any, strides: Any) -> tuple[Any, Any]:
    """Maximum of each window of `x`, and the element of `t` in its place."""
    sizes = [(n - w) // s + 1 for n, w, s in zip(x.shape, window, strides)]

    def views(array: Any) -> Any:
        for start in product(*map(range, window)):
            stop = [a + (n - 1) * s + 1 for a, n, s in zip(start, sizes, strides)]
            yield lax.slice(array, start, stop, strides)

    best, winner = _first(views(x))
    zero = jnp.zeros((), t.dtype)
    return best, sum(jnp.where(winner == i, view, zero) for i, view in enumerate(views(t)))


def _follow_tiles(x: Any, t: Any, window: Any) -> tuple[Any, Any]:
    """`_follow` for windows that lie side by side, on a view with axes ``(tile, place, …)``."""
    tiles = [n // w for n, w in zip(x.shape, window)]
    cut = tuple(slice(0, n * w) for n, w in zip(tiles, window))
    pairs = [size for pair in zip(tiles, window) for size in pair]
    places = tuple(range(1, 2 * x.ndim, 2))
    x, t = x[cut].reshape(pairs), t[cut].reshape(pairs)
    views = (x[tuple(i for p in place for i in (slice(None), p))] for place in np.ndindex(*window))
    best, winner = _first(views)
    numbers = np.arange(prod(window), dtype=winner.dtype).reshape(window)
    here = jnp.expand_dims(winner, places) == np.expand_dims(numbers, [p - 1 for p in places])
    return best, jnp.where(here, t, jnp.zeros((), t.dtype)).sum(places)


def adaptive_max_pool(x: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """Maximum over parts of each axis, as many as `sizes` says; see `_parts`."""
    for size, axis in zip(sizes, axes):
        starts, stops = _parts(x.shape[axis], size)
        reach = int(np.max(stops - starts))
        # A short part repeats its last position, which changes no maximum.
        places = np.minimum(starts[:, None] + np.arange(reach), stops[:, None] - 1)
        x = jnp.max(jnp.take(x, places, axis), axis + 1)
    return x


def adaptive_average_pool(x: Any, sizes: Sequence[int], axes: Sequence[int]) -> Any:
    """Mean over parts of each axis, as many as `sizes` says; see `_parts`."""
    dtype = jnp.promote_types(x.dtype, jnp.float32)
    means = x.astype(dtype)
    for size, axis in zip(sizes, axes):
        starts, stops = _parts(x.shape[axis], size)
        places = np.arange(x.shape[axis])[:, None]
        shares = ((places >= starts) & (places < stops)) / (stops - starts)
        means = jnp.moveaxis(
            jnp.tensordot(means, jnp.asarray(shares, dtype), (axis, 0), precision="highest"),
            -1,
            axis,
        )
    return means.astype(x.dtype) if jnp.issubdtype(x.dtype, jnp.floating) else means


def _parts(length: int, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of `number` parts of an axis starts and stops, shared positions counted in both.

    Raises:
        ValueError: if the axis is empty.
    """
    if length < 1:
        raise ValueError(f"An axis of size {length} cannot be pooled to size {number}.")
    index = np.arange(number)
    return index * length // number, -(-(index + 1) * length // number)
