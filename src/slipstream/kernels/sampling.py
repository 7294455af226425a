"""Images read between their pixels, each image at places of its own.

Places are in pixels, 0 for the first. What lies outside follows a fill mode, here for a row of
pixels ``abcd``: ``"reflect"`` gives ``dcba|abcd|dcba``, ``"wrap"`` ``abcd|abcd|abcd``,
``"nearest"`` ``aaaa|abcd|dddd`` and ``"constant"`` a fill value.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
INTERPOLATIONS = ("nearest", "bilinear")


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
    fill_value: Any = 0.0,
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


def sample_axes(
    images: Any,
    rows: Any,
    columns: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0.0,
) -> Any:
    """`sample` at places that form a grid, one axis after the other.

    Args:
        rows: ``(batch, new_height)``.
        columns: ``(batch, new_width)``.
        images, interpolation, fill_mode, fill_value: as for `sample`.

    Returns:
        ``(batch, new_height, new_width, channels)``.
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
