"""Boxes on pictures whose pixels move."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.ops.box_formats import FORMATS, convert_format, through

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
