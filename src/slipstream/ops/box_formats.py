"""Formats of rectangles in pictures, and the way from one to another."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

FORMATS = (
    "xyxy", "yxyx", "xywh", "center_xywh", "center_yxhw", "rel_xyxy", "rel_yxyx", "rel_xywh",
    "rel_center_xywh",
)  # fmt: skip


def _sides(boxes: Any, source: str) -> Any:
    """Left, top, right and bottom of boxes in a format without ``rel_``."""
    a, b, c, d = (boxes[..., i] for i in range(4))
    if source == "xyxy":
        return a, b, c, d
    if source == "yxyx":
        return b, a, d, c
    if source == "xywh":
        return a, b, a + c, b + d
    if source == "center_yxhw":
        a, b, c, d = b, a, d, c
    return a - c / 2, b - d / 2, a + c / 2, b + d / 2


def _boxes(left: Any, top: Any, right: Any, bottom: Any, target: str) -> Any:
    if target == "xyxy":
        parts = (left, top, right, bottom)
    elif target == "yxyx":
        parts = (top, left, bottom, right)
    elif target == "xywh":
        parts = (left, top, right - left, bottom - top)
    else:
        parts = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        if target == "center_yxhw":
            parts = (parts[1], parts[0], parts[3], parts[2])
    return jnp.stack(parts, -1)


def convert_format(
    boxes: Any,
    source: str,
    target: str,
    height: Any = None,
    width: Any = None,
    dtype: Any = "float32",
) -> Any:
    """Boxes ``(…, 4)`` in another format; in a dictionary, its ``"boxes"``.

    Raises:
        ValueError: if a format is unknown, or the picture's size is needed and missing.
    """
    if isinstance(boxes, dict):
        changed = convert_format(boxes["boxes"], source, target, height, width, dtype)
        return {**boxes, "boxes": changed}
    for name in (source, target):
        if name not in FORMATS:
            raise ValueError(f"A box format is one of {', '.join(FORMATS)}; got {name!r}.")
    boxes = jnp.asarray(boxes, dtype)
    if boxes.shape[-1] != 4:
        raise ValueError(f"Boxes have 4 numbers each; got shape {boxes.shape}.")
    if source == target:
        return boxes
    if source.startswith("rel_") != target.startswith("rel_") and (height is None or width is None):
        raise ValueError(
            f"Between {source!r} and {target!r} the picture's size counts: give height and width."
        )
    left, top, right, bottom = _sides(boxes, source.removeprefix("rel_"))
    if source.startswith("rel_") != target.startswith("rel_"):
        wide, tall = (jnp.asarray(v, dtype) for v in (width, height))
        if wide.ndim and boxes.ndim > 2:  # one size for each picture
            wide, tall = wide.reshape(-1, 1), tall.reshape(-1, 1)
        if target.startswith("rel_"):
            wide, tall = 1 / wide, 1 / tall
        left, right, top, bottom = left * wide, right * wide, top * tall, bottom * tall
    return _boxes(left, top, right, bottom, target.removeprefix("rel_"))


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
