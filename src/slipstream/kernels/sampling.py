"""Images read between their pixels, each image at places of its own.

Places are in pixels, 0 for the first. What lies outside follows a fill mode, here for a row of
pixels ``abcd``: ``"reflect"`` gives ``dcba|abcd|dcba``, ``"wrap"`` ``abcd|abcd|abcd``,
``"nearest"`` ``aaaa|abcd|dddd`` and ``"constant"`` a fill value.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")
_MOST = 2**31  # numbers of a picture that the compiled form counts


class Tap(NamedTuple):
    """One of the pixels that a place along an axis is made of: its index and its share."""

    index: Any
    share: Any


def taps(places: Any, size: int, interpolation: str, fill_mode: str) -> list[Tap]:
    """The one or two pixels along an axis of `size` that each of `places` is made of.

    Indices are within the axis. Shares sum to 1, or to less where a fill value takes the rest.
    """
    if interpolation == "nearest":
        places = jnp.round(places)
    if fill_mode == "reflect":  # the reflected axis repeats after both of its faces
        places = jnp.abs(places + 0.5)
        places = places - 2 * size * jnp.floor(places / (2 * size))
        places = jnp.minimum(places, 2 * size - places) - 0.5
    elif fill_mode == "wrap":
        places = places - size * jnp.floor(places / size)
    elif fill_mode == "nearest":
        places = jnp.clip(places, 0, size - 1)
    first = jnp.floor(places)
    second = first + 1
    ends = [(first, 1 - (places - first)), (second, places - first)]
    if interpolation == "nearest":
        ends = [(first, jnp.ones_like(first))]
    found = []
    for place, share in ends:
        if fill_mode == "constant":
            share = jnp.where((place >= 0) & (place <= size - 1), share, 0)
        elif fill_mode == "wrap":
            place = jnp.where(place >= size, place - size, place)
        found.append(Tap(jnp.clip(place.astype("int32"), 0, size - 1), share))
    return found


def sample(
    images: Any,
    rows: Any,
    columns: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Any:
    """Each image at its own places.

    Args:
        images: ``(batch, height, width, channels)`` floats.
        rows, columns: ``(batch, new_height, new_width)`` places.
        interpolation: ``"nearest"`` or ``"bilinear"``.
        fill_mode, fill_value: what lies outside.

    Returns:
        ``(batch, new_height, new_width, channels)``.
    """
    filled = {"fill_mode": fill_mode, "fill_value": float(fill_value)}
    return _sample.bind(images, rows, columns, interpolation=interpolation, **filled)


def warp(
    images: Any,
    numbers: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    *,
    upright: bool = False,
    projective: bool = False,
) -> Any:
    """Each image through a transform of its own.

    Pixel (x, y) of the result is the image at ``(a x + b y + c, d x + e y + f) / k``, where
    ``k = g x + h y + 1``.

    Args:
        images: ``(batch, height, width, channels)`` floats.
        numbers: ``(batch, 8)``, a to h.
        interpolation, fill_mode, fill_value: as for `sample`.
        upright: whether b, d, g and h are 0, so that places form a grid.
        projective: whether g and h may be other than 0.

    Returns:
        Of the images' shape.
    """
    filled = {"fill_mode": fill_mode, "fill_value": float(fill_value)}
    how = {"upright": upright, "projective": projective, **filled}
    return _warp.bind(images, numbers, interpolation=interpolation, **how)


def _sampled(
    images: Any, rows: Any, columns: Any, *, interpolation: str, fill_mode: str, fill_value: float
) -> Any:
    batch, height, width, channels = images.shape
    pixels = images.reshape(batch, height * width, channels)
    total: Any = 0
    shares: Any = 0
    for row in taps(rows, height, interpolation, fill_mode):
        for column in taps(columns, width, interpolation, fill_mode):
            share = (row.share * column.share)[..., None]
            total = total + share * _pick(pixels, row.index * width + column.index)
            shares = shares + share
    return total + (1 - shares) * fill_value if fill_mode == "constant" else total


def _sampled_axes(
    images: Any, rows: Any, columns: Any, *, interpolation: str, fill_mode: str, fill_value: float
) -> Any:
    """`_sampled` at rows ``(batch, new_height)`` and columns ``(batch, new_width)``.

    One axis after the other.
    """
    batch, height, width, channels = images.shape
    lines = images.reshape(batch, height, width * channels)
    total: Any = 0
    shares: Any = 0
    for tap in taps(rows, height, interpolation, fill_mode):
        total = total + tap.share[..., None] * _pick(lines, tap.index)
        shares = shares + tap.share
    if fill_mode == "constant":
        total = total + (1 - shares[..., None]) * fill_value
    images = total.reshape(batch, rows.shape[1], width, channels)
    total, shares = 0, 0
    for tap in taps(columns, width, interpolation, fill_mode):
        picked = jax.vmap(lambda image, i: image.at[:, i].get(mode="promise_in_bounds"))(
            images, tap.index
        )
        total = total + tap.share[:, None, :, None] * picked
        shares = shares + tap.share
    if fill_mode == "constant":
        total = total + (1 - shares[:, None, :, None]) * fill_value
    return total


def _pick(items: Any, indices: Any) -> Any:
    """Each example's own items along axis 1."""
    return jax.vmap(lambda item, i: item.at[i].get(mode="promise_in_bounds"))(items, indices)


def _warped(images: Any, numbers: Any, *, upright: bool, projective: bool, **how: Any) -> Any:
    a, b, c, d, e, f, g, h = numbers.T
    y, x = (jnp.arange(size, dtype=numbers.dtype) for size in images.shape[1:3])
    if upright:
        rows, columns = e[:, None] * y + f[:, None], a[:, None] * x + c[:, None]
        return _sampled_axes(images, rows, columns, **how)
    y = y[:, None]
    a, b, c, d, e, f, g, h = numbers.T[:, :, None, None]
    rows, columns = d * x + e * y + f, a * x + b * y + c
    if projective:
        k = g * x + h * y + 1
        rows, columns = rows / k, columns / k
    return _sampled(images, rows, columns, **how)


def _filled(interpolation: str, fill_mode: str, fill_value: float) -> dict[str, Any]:
    """How the compiled forms are told of these."""
    mode = FILL_MODES.index(fill_mode)
    fill = fill_value if fill_mode == "constant" else 0.0
    return {"smooth": interpolation == "bilinear", "fill_mode": mode, "fill_value": fill}


def _sampled_compiled(images: Any, rows: Any, columns: Any, **how: Any) -> Any:
    result = jax.ShapeDtypeStruct((*rows.shape, images.shape[3]), images.dtype)
    return native.call("sample", result, images, rows, columns, **_filled(**how))


def _warped_compiled(
    images: Any, numbers: Any, *, upright: bool, projective: bool, **how: Any
) -> Any:
    result = jax.ShapeDtypeStruct(images.shape, images.dtype)
    filled = _filled(**how)
    return native.call("warp", result, images, numbers, projective=projective, **filled)


def _supports(images: Any, *places: Any, **how: Any) -> bool:
    fits = all(array.dtype == "float32" and array.size > 0 for array in (images, *places))
    return fits and prod(images.shape[1:]) < _MOST


_sample = forms.operation("sample", _sampled, _sampled_compiled, _supports)
_warp = forms.operation("warp", _warped, _warped_compiled, _supports)
