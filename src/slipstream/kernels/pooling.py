"""Maximum and mean over windows, in any rank; channels last they have forms of our own on the CPU.

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
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from slipstream.kernels import forms, native

# Windows of more positions are searched one axis at a time.
_AT_ONCE = 32


def max_pool(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool = True
) -> Any:
    """Largest element of each window; its gradient goes to the first of equal ones."""
    geometry = _full(x, window, strides, padding, channels_last)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return _reduce_max(x, geometry)
    for part in _passes(geometry, prod(geometry.window) > _AT_ONCE):
        (x,) = _largest(x, geometry=part)
    return x


def average_pool(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool = True
) -> Any:
    """Mean of what each window holds of the input, padding left out of the count."""
    geometry = _full(x, window, strides, padding, channels_last)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    (means,) = _mean(x, geometry=geometry)
    return means


def largest_of(x: Any, window: Sequence[int]) -> Any:
    """Largest element of each of the windows, one size for each axis, that lie side by side."""
    geometry = Geometry(tuple(window), tuple(window), ((0, 0),) * x.ndim)
    return (_max if jnp.issubdtype(x.dtype, jnp.floating) else _reduce_max)(x, geometry)


class Geometry(NamedTuple):
    """How windows lie, a number or pair for each axis; those of batch and channels are 1."""

    window: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]


def _full(
    x: Any, window: Sequence[int], strides: Sequence[int], padding: str, channels_last: bool
) -> Geometry:
    before, after = ((1,), (1,)) if channels_last else ((1, 1), ())
    window, strides = (*before, *window, *after), (*before, *strides, *after)
    pads = lax.padtype_to_pads(x.shape, window, strides, padding.upper())
    return Geometry(window, strides, tuple((int(a), int(b)) for a, b in pads))


def _passes(geometry: Geometry, apart: bool) -> list[Geometry]:
    """All axes at once or, `apart`, each axis that pooling changes by itself.

    The last axis comes first: the first of equal elements is then still the first in row order.
    """
    window, strides, pads = geometry
    if not apart:
        return [geometry]
    axes = [i for i in reversed(range(len(window))) if window[i] > 1 or strides[i] > 1]

    def alone(axis: int, kept: Any, rest: Any) -> tuple[Any, ...]:
        return tuple(value if i == axis else rest for i, value in enumerate(kept))

    return [
        Geometry(alone(axis, window, 1), alone(axis, strides, 1), alone(axis, pads, (0, 0)))
        for axis in axes
    ]


def _sizes(shape: Sequence[int], geometry: Geometry) -> tuple[int, ...]:
    """Number of windows along each axis."""
    return tuple((n + sum(p) - w) // s + 1 for n, w, s, p in zip(shape, *geometry))


def _mean_reference(x: Any, *, geometry: Geometry) -> Any:
    sums = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    pooled = tuple(i for i, n in enumerate(geometry.window) if max(n, geometry.strides[i]) > 1)
    if not any(map(any, geometry.pads)) and all(geometry.window[i] == x.shape[i] for i in pooled):
        return (jnp.mean(sums, pooled, keepdims=True).astype(x.dtype),), ()
    for part in _passes(geometry, geometry.window != geometry.strides):
        sums = lax.reduce_window(sums, np.zeros((), sums.dtype), lax.add, *part)
    return ((sums / jnp.asarray(_counts(x.shape, geometry), sums.dtype)).astype(x.dtype),), ()


def _counts(shape: Sequence[int], geometry: Geometry) -> np.ndarray:
    """How many positions each window holds, with size 1 along axes where all hold the same."""
    counts = np.ones((1,) * len(shape))
    for axis, size in enumerate(_sizes(shape, geometry)):
        window, stride, pad = geometry.window[axis], geometry.strides[axis], geometry.pads[axis]
        held: Any = window
        if any(pad):
            starts = np.arange(size) * stride - pad[0]
            held = np.minimum(starts + held, shape[axis]) - np.maximum(starts, 0)
            held = held.reshape([-1 if i == axis else 1 for i in range(len(shape))])
        counts = counts * held
    return counts


def _reduce_max(x: Any, geometry: Geometry) -> Any:
    return lax.reduce_window(x, _lowest(x.dtype), lax.max, *geometry)


def _lowest(dtype: Any) -> Any:
    if jnp.issubdtype(dtype, jnp.floating):
        return np.array(-np.inf, dtype)
    return np.array(jnp.iinfo(dtype).min if jnp.issubdtype(dtype, jnp.integer) else 0, dtype)


# The derivative that JAX has for reduce_window (select-and-scatter) was measured 10 to 50 times
# slower on a CPU than remembering which position of each window won.
@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max(x: Any, geometry: Geometry) -> Any:
    return _reduce_max(x, geometry)


@_max.defjvp
def _max_jvp(geometry: Geometry, primals: Any, tangents: Any) -> Any:
    (x,), (t,) = primals, tangents
    window, strides, pads = geometry
    if any(map(any, pads)):
        widths = [(*pad, 0) for pad in pads]
        x = lax.pad(x, _lowest(x.dtype), widths)
        t = lax.pad(t, np.zeros((), t.dtype), widths)
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


def _largest_reference(x: Any, *, geometry: Geometry) -> Any:
    best = _max(x, geometry)
    # What won is saved for the compiled gradient only; the plain one searches again.
    return (best,), (jnp.zeros(best.shape, np.uint8),)


def _compiled(name: str, shapes: Any, *arrays: Any, geometry: Geometry, **more: Any) -> Any:
    """The CPU's own form, which knows three spatial axes: missing ones have size 1."""
    ones = (1,) * (5 - len(geometry.window))

    def wide(shape: Sequence[int]) -> tuple[int, ...]:
        return (shape[0], *ones, *shape[1:])

    found = native.call(
        name,
        [jax.ShapeDtypeStruct(wide(each.shape), each.dtype) for each in shapes],
        *(array.reshape(wide(array.shape)) for array in arrays),
        window=wide(geometry.window)[1:4],
        stride=wide(geometry.strides)[1:4],
        low=(*(0 for _ in ones), *(pad[0] for pad in geometry.pads[1:-1])),
        **more,
    )
    return [array.reshape(each.shape) for array, each in zip(found, shapes)]


def _fits(x: Any, *, geometry: Geometry) -> bool:
    window, strides, pads = geometry
    channels_last = all(window[i] == strides[i] == 1 and not any(pads[i]) for i in (0, -1))
    empty = 0 in (*x.shape, *_sizes(x.shape, geometry))
    # Vectors run along the channels; where they are few, XLA's run along space.
    suits = len(window) <= 5 and channels_last and x.shape[-1] >= 8
    return forms.floats(x) and suits and not empty


def _mean_fits(x: Any, *, geometry: Geometry) -> bool:
    if _one_window(x, geometry):
        return forms.floats(x) and x.size > 0
    # Overlapping windows share sums where the reference goes along one axis at a time.
    apart = all(w <= s for w, s in zip(geometry.window, geometry.strides))
    return apart and _fits(x, geometry=geometry)


def _largest_compiled(x: Any, *, save: bool, geometry: Geometry) -> Any:
    shape = _sizes(x.shape, geometry)
    results = [jax.ShapeDtypeStruct(shape, x.dtype), jax.ShapeDtypeStruct(shape, np.uint8)]
    if save:
        return _compiled("max_pool_saving", results, x, geometry=geometry)
    return _compiled("max_pool", results[:1], x, geometry=geometry)


def _one_window(x: Any, geometry: Geometry) -> bool:
    """Whether each channel's mean is over all of its positions."""
    sides = geometry.window[0] == geometry.window[-1] == 1
    return sides and geometry.window[1:-1] == x.shape[1:-1] and not any(map(any, geometry.pads))


def _mean_compiled(x: Any, *, save: bool, geometry: Geometry) -> Any:
    sizes = _sizes(x.shape, geometry)
    if _one_window(x, geometry):
        flat = jax.ShapeDtypeStruct((sizes[0], sizes[-1]), x.dtype)
        y = native.call("global_mean", flat, x.reshape(sizes[0], -1, sizes[-1]))
        return [y.reshape(sizes)]
    return _compiled("average_pool", [jax.ShapeDtypeStruct(sizes, x.dtype)], x, geometry=geometry)


def _mean_gradient(arrays: Any, saved: Any, cotangents: Any, *, geometry: Geometry) -> Any:
    (x,), (dy,) = arrays, cotangents
    if _one_window(x, geometry):
        batch, *spatial, channels = x.shape
        flat = jax.ShapeDtypeStruct((batch, prod(spatial), channels), x.dtype)
        dx = native.call("global_mean_gradient", flat, dy.reshape(batch, channels))
        return (dx.reshape(x.shape),)
    counts = _counts(x.shape, geometry)
    if counts.size > 1:
        dy, counts = dy / jnp.asarray(counts, dy.dtype), np.ones(1)
    scale = 1 / counts.item()
    return _compiled("average_pool_gradient", [x], dy, geometry=geometry, scale=scale)


_largest = forms.differentiable(
    "max_pool",
    _largest_reference,
    _largest_compiled,
    lambda arrays, saved, cotangents, geometry: _compiled(
        "max_pool_gradient", arrays, *cotangents, *saved, geometry=geometry
    ),
    # What won is saved in a byte.
    lambda x, geometry: _fits(x, geometry=geometry) and prod(geometry.window) <= 256,
    inputs=1,
)
_mean = forms.differentiable(
    "average_pool", _mean_reference, _mean_compiled, _mean_gradient, _mean_fits, inputs=1
)
