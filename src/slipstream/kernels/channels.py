"""Figures of each channel of a picture."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

_MOST = 64  # columns combined in one operation


def once(values: Any) -> Any:
    """Finite floats as they are, computed once wherever they are used.

    XLA's CPU compiler repeats cheap operations for each pixel that their result is broadcast to; a
    remainder counts as dear, and is taken once. That of a division by infinity is the number.
    """
    return jax.lax.rem(values, jnp.full_like(values, jnp.inf))


def of_channels(combine: Any, images: Any) -> Any:
    """The least, the greatest or the sum of each channel, ``(batch, 1, 1, channels)``.

    First over rows, with columns and channels as one axis, as one axis of 3 channels is too short
    for a CPU's vectors. Then columns are combined as elements: a reduction of so few numbers takes
    XLA's CPU compiler as long as one of all pixels.

    Args:
        combine: ``jnp.minimum``, ``jnp.maximum`` or ``jnp.add``.
        images: ``(batch, height, width, channels)`` finite floats.
    """
    batch, height, width, channels = images.shape
    columns = combine.reduce(images.reshape(batch, height, width * channels), axis=1)
    while width > 1:
        count = min(width, _MOST)
        size = width // count * channels  # numbers in each of so many parts, and a rest
        parts = [columns[:, i * size : (i + 1) * size] for i in range(count)]
        rest = columns[:, count * size :]
        columns = once(jnp.concatenate([_all(combine, parts), rest], 1))
        width = columns.shape[1] // channels
    return columns[:, None, None, :]


def _all(combine: Any, parts: list[Any]) -> Any:
    """All parts combined, by pairs, so that sums round less."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2])
        parts = [combine(*pair) for pair in pairs] + parts[len(parts) // 2 * 2 :]
    return parts[0]
