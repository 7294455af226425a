"""Rectangles around things in pictures: formats, clipping, overlap and targets for training.

A format names its four numbers: ``"xyxy"`` (left, top, right, bottom), ``"yxyx"``, ``"xywh"``
(left, top, width, height), ``"center_xywh"`` and ``"center_yxhw"`` (centre and size); the same
with ``"rel_"`` in shares of the picture's size.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.ops.box_formats import FORMATS, convert_format, through  # noqa: F401


def clip_to_image_size(
    bounding_boxes: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """A dictionary of ``"boxes"`` and ``"labels"`` with boxes cut at the picture's edges.

    Boxes of which nothing is left get the label -1.
    """
    relative = bounding_box_format.startswith("rel_")
    tall, wide = (1.0, 1.0) if relative else (height, width)
    if tall is None or wide is None:
        raise ValueError("clip_to_image_size needs the picture's height and width.")
    inner = "rel_xyxy" if relative else "xyxy"
    boxes = convert_format(bounding_boxes["boxes"], bounding_box_format, inner)
    highest = jnp.asarray([wide, tall, wide, tall], boxes.dtype)
    boxes = jnp.clip(boxes, 0, highest)
    empty = (boxes[..., 2] <= boxes[..., 0]) | (boxes[..., 3] <= boxes[..., 1])
    labels = jnp.where(empty, -1, jnp.asarray(bounding_boxes["labels"]))
    boxes = convert_format(boxes, inner, bounding_box_format)
    return {**bounding_boxes, "boxes": boxes, "labels": labels}


def compute_iou(
    boxes1: Any,
    boxes2: Any,
    bounding_box_format: str,
    use_masking: bool = False,
    mask_val: float = -1,
    image_shape: Any = None,
) -> Any:
    """Overlap of each pair, intersection by union: ``(…, boxes1, boxes2)``.

    Args:
        boxes1, boxes2: ``(boxes, 4)`` or ``(batch, boxes, 4)``.
        bounding_box_format: of both.
        use_masking: give `mask_val` for boxes that consist of `mask_val`.
        mask_val: see there.
        image_shape: ``(height, width, …)``, for formats with ``rel_``.
    """
    first, second = (_corners(b, bounding_box_format, image_shape) for b in (boxes1, boxes2))
    joint = _area_of_overlap(first[..., :, None, :], second[..., None, :, :])
    areas = _area(first)[..., :, None] + _area(second)[..., None, :]
    overlap = joint / jnp.maximum(areas - joint, 1e-8)
    if use_masking:
        masked = [jnp.max(jnp.asarray(b), -1) <= mask_val for b in (boxes1, boxes2)]
        hidden = masked[0][..., :, None] | masked[1][..., None, :]
        overlap = jnp.where(hidden, mask_val, overlap)
    return overlap


def compute_ciou(
    boxes1: Any, boxes2: Any, bounding_box_format: str, image_shape: Any = None
) -> Any:
    """Complete overlap of boxes one by one (Zheng et al., 2020): ``(…,)``.

    It also falls with the distance of the centres and with unlike proportions.
    """
    first, second = (_corners(b, bounding_box_format, image_shape) for b in (boxes1, boxes2))
    joint = _area_of_overlap(first, second)
    small = 1e-7
    overlap = joint / (_area(first) + _area(second) - joint + small)
    outer = jnp.maximum(first[..., 2:], second[..., 2:]) - jnp.minimum(
        first[..., :2], second[..., :2]
    )
    diagonal = jnp.sum(outer**2, -1) + small
    centres = (first[..., :2] + first[..., 2:] - second[..., :2] - second[..., 2:]) / 2
    distance = jnp.sum(centres**2, -1)

    def angle(corners: Any) -> Any:
        size = corners[..., 2:] - corners[..., :2]
        return jnp.arctan(size[..., 0] / (size[..., 1] + small))

    shape = 4 / np.pi**2 * (angle(second) - angle(first)) ** 2
    weight = shape / (1 - overlap + shape + small)
    return overlap - distance / diagonal - weight * shape


def affine_transform(
    boxes: Any,
    angle: Any,
    translate_x: Any,
    translate_y: Any,
    scale: Any,
    shear_x: Any,
    shear_y: Any,
    height: Any,
    width: Any,
    center_x: Any = None,
    center_y: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """The smallest upright boxes about boxes that are shifted, sheared, turned and scaled.

    Args:
        boxes: ``(boxes, 4)`` or ``(batch, boxes, 4)``.
        angle, shear_x, shear_y: degrees, ``(batch,)``.
        translate_x, translate_y: shares of the picture's size, before scaling, ``(batch,)``.
        scale: factor, ``(batch,)``.
        height, width: of the picture.
        center_x, center_y: what stays in place, as shares of the picture's size, ``(batch,)``;
            its middle if not given.
        bounding_box_format: of the boxes and of the result.
    """
    corners = convert_format(boxes, bounding_box_format, "xyxy", height, width)
    alone = corners.ndim == 2
    corners = corners[None] if alone else corners
    kind = corners.dtype
    turn, lean_x, lean_y = (jnp.deg2rad(jnp.asarray(v, kind)) for v in (angle, shear_x, shear_y))
    rise, run = (f(turn - lean_y) / jnp.cos(lean_y) for f in (jnp.sin, jnp.cos))
    rows = [
        [rise * jnp.tan(lean_x) + jnp.cos(turn), run * jnp.tan(lean_x) + jnp.sin(turn)],
        [-rise, run],
    ]
    # Pixels lie at whole numbers, so that a picture ends at its size less one.
    wide, tall = jnp.asarray(width, kind) - 1, jnp.asarray(height, kind) - 1
    middle = [wide * (0.5 if center_x is None else jnp.asarray(center_x, kind)),
              tall * (0.5 if center_y is None else jnp.asarray(center_y, kind))]  # fmt: skip
    shift = [wide * jnp.asarray(translate_x, kind), tall * jnp.asarray(translate_y, kind)]
    zoom = jnp.asarray(scale, kind)
    numbers = []
    for (a, b), stays in zip(rows, middle):
        moved = a * (shift[0] - middle[0]) + b * (shift[1] - middle[1])
        numbers += [zoom * a, zoom * b, zoom * moved + stays]
    flat = jnp.stack(jnp.broadcast_arrays(*map(jnp.atleast_1d, numbers)), -1)
    flat = jnp.concatenate([flat, jnp.zeros_like(flat[:, :2])], -1)
    found = convert_format(through(flat, corners), "xyxy", bounding_box_format, height, width)
    return found[0] if alone else found


def _corners(boxes: Any, source: str, image_shape: Any) -> Any:
    if source.startswith("rel_") and image_shape is not None:
        return convert_format(boxes, source, "xyxy", image_shape[0], image_shape[1])
    return convert_format(boxes, source, "rel_xyxy" if source.startswith("rel_") else "xyxy")


def _area(corners: Any) -> Any:
    return (corners[..., 2] - corners[..., 0]) * (corners[..., 3] - corners[..., 1])


def _area_of_overlap(first: Any, second: Any) -> Any:
    sides = jnp.minimum(first[..., 2:], second[..., 2:]) - jnp.maximum(
        first[..., :2], second[..., :2]
    )
    return jnp.prod(jnp.maximum(sides, 0), -1)


def crop(
    boxes: Any, top: Any, left: Any, height: Any, width: Any, bounding_box_format: str = "xyxy"
) -> Any:
    """Boxes after the picture has been cut to a part of it."""
    _absolute("crop", bounding_box_format)
    corners = convert_format(boxes, bounding_box_format, "xyxy")
    moved = corners - jnp.asarray([left, top, left, top], corners.dtype)
    inside = jnp.clip(moved, 0, jnp.asarray([width, height, width, height], corners.dtype))
    return convert_format(inside, "xyxy", bounding_box_format)


def pad(
    boxes: Any,
    top: Any,
    left: Any,
    height: Any = None,
    width: Any = None,
    bounding_box_format: str = "xyxy",
) -> Any:
    """Boxes after rows and columns have been put above and left of the picture."""
    _absolute("pad", bounding_box_format)
    corners = convert_format(boxes, bounding_box_format, "xyxy")
    moved = corners + jnp.asarray([left, top, left, top], corners.dtype)
    return convert_format(moved, "xyxy", bounding_box_format)


def _absolute(what: str, bounding_box_format: str) -> None:
    if bounding_box_format.startswith("rel_"):
        raise ValueError(
            f"{what} works in pixels; got {bounding_box_format!r}. Convert the boxes first with "
            "convert_format."
        )


def encode_box_to_deltas(
    anchors: Any,
    boxes: Any,
    anchor_format: str,
    box_format: str,
    encoding_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """What a detector learns: shifts in anchor sizes and logarithms of size ratios, ``(…, 4)``."""
    centres = _centred(anchors, anchor_format, encoding_format, image_shape)
    goals = _centred(boxes, box_format, encoding_format, image_shape)
    deltas = jnp.concatenate(
        [
            (goals[..., :2] - centres[..., :2]) / centres[..., 2:],
            jnp.log(jnp.maximum(goals[..., 2:], 1e-7) / jnp.maximum(centres[..., 2:], 1e-7)),
        ],
        -1,
    )
    return deltas if variance is None else deltas / jnp.asarray(variance, deltas.dtype)


def decode_deltas_to_boxes(
    anchors: Any,
    boxes_delta: Any,
    anchor_format: str,
    box_format: str,
    encoded_format: str = "center_yxhw",
    variance: Any = None,
    image_shape: Any = None,
) -> Any:
    """Boxes from what `encode_box_to_deltas` made of them."""
    centres = _centred(anchors, anchor_format, encoded_format, image_shape)
    deltas = jnp.asarray(boxes_delta, centres.dtype)
    if variance is not None:
        deltas = deltas * jnp.asarray(variance, deltas.dtype)
    boxes = jnp.concatenate(
        [
            deltas[..., :2] * centres[..., 2:] + centres[..., :2],
            jnp.exp(deltas[..., 2:]) * centres[..., 2:],
        ],
        -1,
    )
    size = (None, None) if image_shape is None else image_shape[:2]
    return convert_format(boxes, encoded_format, box_format, *size)


def _centred(boxes: Any, source: str, encoding: str, image_shape: Any) -> Any:
    if encoding not in ("center_yxhw", "center_xywh"):
        raise ValueError(f"Deltas are encoded as 'center_yxhw' or 'center_xywh'; got {encoding!r}.")
    size = (None, None) if image_shape is None else image_shape[:2]
    return convert_format(boxes, source, encoding, *size)
