"""How often values come up in pictures, and tables that follow from it.

XLA's CPU compiler counts, and looks up, one number after the other on one thread.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.kernels import forms, native
from slipstream.kernels.pointwise import from_bytes, to_bytes

# Places of all tables in a row are single numbers, which are found and followed in half the time
# that pairs of table and place take.
_SAFE: dict[str, Any] = {"mode": "promise_in_bounds", "wrap_negative_indices": False}
_MOST = 1 << 16  # bins, where a thread keeps tables of its own


def histograms(places: Any, tables: int, size: int) -> Any:
    """How often each place comes up, ``(tables, size)`` floats, for places below their product."""
    counts = jnp.zeros(tables * size, "int32").at[places.reshape(-1)].add(1, **_SAFE)
    return counts.reshape(tables, size).astype(jnp.float32)


def look_up(tables: Any, places: Any) -> Any:
    """What lies at each place of all tables in a row; places may have any shape."""
    return tables.reshape(-1).at[places].get(**_SAFE)


def equalize(images: Any, bins: int, ends: tuple[float, float]) -> Any:
    """Values of each channel of each picture about equally frequent; one of one value as it is.

    Args:
        images: ``(batch, height, width, channels)`` floats.
        bins: how many values to tell apart.
        ends: the least and the greatest value of a pixel.
    """
    return _equalize.bind(images, bins=bins, low=float(ends[0]), high=float(ends[1]))


def _equalized(images: Any, *, bins: int, low: float, high: float) -> Any:
    values = jnp.clip(to_bytes(images, (low, high)), 0, 255)
    batch, _, _, channels = images.shape
    # A table for each channel of each picture, all in a row.
    starts = np.arange(batch * channels, dtype="int32") * bins
    levels = (values * ((bins - 1) / 255)).astype("int32")
    places = starts.reshape(batch, 1, 1, channels) + levels
    sums = jnp.cumsum(histograms(places, batch * channels, bins), -1)
    total = sums[:, -1:]
    least = jnp.min(jnp.where(sums > 0, sums, total), -1, keepdims=True)
    tables = jnp.round((sums - least) * 255 / jnp.maximum(total - least, 1))
    flat = (total == least).reshape(batch, 1, 1, channels)
    result = jnp.where(flat, values, look_up(jnp.clip(tables, 0, 255), places))
    return from_bytes(result, (low, high))


def _compiled(images: Any, *, bins: int, low: float, high: float) -> Any:
    result = jax.ShapeDtypeStruct(images.shape, images.dtype)
    return native.call("equalize", result, images, bins=bins, low=low, high=high)


def _supports(images: Any, *, bins: int, **ends: float) -> bool:
    return images.dtype == "float32" and images.size > 0 and bins <= _MOST


_equalize = forms.operation("equalize", _equalized, _compiled, _supports)
