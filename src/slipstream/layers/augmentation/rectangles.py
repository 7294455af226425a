"""A rectangle in each picture."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.layers.augmentation.base import Shape


def rectangles(shape: Shape, tall: Any, wide: Any, down: Any, across: Any) -> tuple[Any, Any]:
    """Rows ``(batch, height)`` and columns ``(batch, width)``, True in a rectangle in each picture.

    Args:
        tall, wide: ``(batch,)`` shares of height and width.
        down, across: ``(batch,)`` places, from 0 at the top and left to 1.
    """
    _, height, width, _ = shape

    def inside(size: int, length: Any, place: Any) -> Any:
        start = (place * (size - length * size))[:, None]
        pixels = jnp.arange(size, dtype=jnp.float32) + 0.5
        return (pixels > start) & (pixels < start + (length * size)[:, None])

    return inside(height, tall, down), inside(width, wide, across)
