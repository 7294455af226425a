"""Boxes on pictures whose pixels move."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.ops.box_formats import FORMATS, convert_format

__all__ = ["FORMATS", "clip", "convert_format", "through"]


def clip(found: dict[str, Any], height: int, width: int) -> dict[str, Any]:
    """Boxes cut at the picture's edges; those of which nothing is left get the label -1."""
    boxes = found["boxes"]
    boxes = jnp.clip(boxes, 0, jnp.asarray([width, height, width, height], boxes.dtype))
    result = {**found, "boxes": boxes}
    if "labels" in found:
        empty = (boxes[..., 2] <= boxes[..., 0]) | (boxes[..., 3] <= boxes[..., 1])
        labels = found["labels"]
        result["labels"] = jnp.where(empty, jnp.asarray(-1).astype(labels.dtype), labels)
    return result


def through(numbers: Any, boxes: Any) -> Any:
    """The smallest upright boxes about what a transform makes of each box.

    Args:
        numbers: ``(batch, 8)`` numbers ``a b c d e f g h`` that send a point (x, y) to
            ``(a x + b y + c, d x + e y + f) / (g x + h y + 1)``.
        boxes: ``(batch, boxes, 4)`` of left, top, right, bottom.
    """
    a, b, c, d, e, f, g, h = jnp.moveaxis(numbers, -1, 0)[:, :, None, None]
    x = boxes[..., (0, 2, 0, 2)]
    y = boxes[..., (1, 1, 3, 3)]
    k = g * x + h * y + 1
    x, y = (a * x + b * y + c) / k, (d * x + e * y + f) / k
    return jnp.stack([x.min(-1), y.min(-1), x.max(-1), y.max(-1)], -1)
