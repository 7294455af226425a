"""A rectangle in each picture, and what is put there."""

from __future__ import annotations

from typing import Any

import jax
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


def crossing(area: tuple[Any, Any]) -> Any:
    """Rows and columns as a mask ``(batch, height, width, 1)``, True where both are."""
    rows, columns = area
    return rows[:, :, None, None] & columns[:, None, :, None]


@jax.custom_jvp
def put(area: tuple[Any, Any], others: Any, images: Any) -> Any:
    """`images`, and where the rows and columns of `area` cross, `others`.

    On float32 bits are chosen, as a CPU's vectors do; a choice between two pictures would become a
    jump for each number.
    """
    if images.dtype != jnp.float32:
        return jnp.where(crossing(area), others, images)
    # Roots count as dear to the compiler, so it takes these of 0 and 1 once, not for each pixel.
    rows, columns = (jnp.sqrt(chosen.astype(jnp.float32)) for chosen in area)
    ones = -(rows[:, :, None, None] * columns[:, None, :, None]).astype("int32")
    old, new = (jax.lax.bitcast_convert_type(pictures, "int32") for pictures in (images, others))
    return jax.lax.bitcast_convert_type(old ^ ((old ^ new) & ones), jnp.float32)


@put.defjvp
def _tangent(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Bits have no gradient, so it goes by the choice that they stand for."""
    return put(*primals), jnp.where(crossing(primals[0]), *tangents[1:])
