"""Boxes are converted, cut and compared as in Keras."""

import keras
import numpy as np
import pytest

from slipstream.utils import bounding_boxes as ours

theirs = keras.utils.bounding_boxes
BOXES = np.array([[10.0, 20, 30, 60], [0, 0, 5, 5], [3, 4, 50, 7]], "f")
OTHER = BOXES + np.array([1, 2, 5, 9], "f")


@pytest.mark.parametrize("source", ours.FORMATS)
@pytest.mark.parametrize("target", ours.FORMATS)
def test_formats(source, target):
    given = np.asarray(theirs.convert_format(BOXES, "xyxy", source, 100, 200))
    mine = ours.convert_format(given, source, target, 100, 200)
    np.testing.assert_allclose(mine, theirs.convert_format(given, source, target, 100, 200), 1e-5)
    back = ours.convert_format(mine, target, source, 100, 200)
    np.testing.assert_allclose(back, given, 1e-4, 1e-4)


def test_batches_with_a_size_for_each_picture():
    batch, sizes = np.stack([BOXES, OTHER]), (np.array([100.0, 50]), np.array([200.0, 80]))
    mine = np.asarray(ours.convert_format(batch, "xyxy", "rel_xywh", *sizes))
    for i, boxes in enumerate(batch):
        alone = ours.convert_format(boxes, "xyxy", "rel_xywh", sizes[0][i], sizes[1][i])
        np.testing.assert_allclose(mine[i], alone, 1e-6)


def test_clipping_moves_edges_and_marks_what_is_gone():
    boxes = {"boxes": BOXES, "labels": np.array([1, 2, 3])}
    mine = ours.clip_to_image_size(boxes, 15, 25, "xyxy")
    other = theirs.clip_to_image_size(boxes, 15, 25, "xyxy")
    np.testing.assert_array_equal(mine["labels"], other["labels"])
    assert mine["labels"].tolist() == [-1, 2, 3]
    np.testing.assert_allclose(mine["boxes"][1:], other["boxes"][1:])


def test_overlaps():
    for box_format in ("xyxy", "xywh", "center_yxhw"):
        given = [np.asarray(ours.convert_format(b, "xyxy", box_format)) for b in (BOXES, OTHER)]
        close = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(
            ours.compute_iou(*given, box_format), theirs.compute_iou(*given, box_format), **close
        )
        np.testing.assert_allclose(
            ours.compute_ciou(*given, box_format), theirs.compute_ciou(*given, box_format), **close
        )
    masked = np.concatenate([BOXES[:1], -np.ones((1, 4), "f")])
    np.testing.assert_allclose(
        ours.compute_iou(BOXES, masked, "xyxy", use_masking=True),
        theirs.compute_iou(BOXES, masked, "xyxy", use_masking=True),
        1e-5,
    )
    assert ours.compute_iou(np.stack([BOXES] * 2), np.stack([OTHER] * 2), "xyxy").shape == (2, 3, 3)


def test_cropping_and_padding():
    np.testing.assert_allclose(
        ours.crop(BOXES, 2, 3, 20, 30, "xyxy"), theirs.crop(BOXES, 2, 3, 20, 30, "xyxy")
    )
    moved = ours.pad(BOXES, 2, 3, 99, 99, "xyxy")
    np.testing.assert_allclose(moved, theirs.pad(BOXES, 2, 3, 99, 99, "xyxy"))
    other = ours.pad(ours.convert_format(BOXES, "xyxy", "xywh"), 2, 3, bounding_box_format="xywh")
    np.testing.assert_allclose(ours.convert_format(other, "xywh", "xyxy"), moved)


@pytest.mark.parametrize("encoding", ["center_yxhw", "center_xywh"])
@pytest.mark.parametrize("variance", [None, [0.1, 0.1, 0.2, 0.2]])
def test_targets_of_detectors_and_back(encoding, variance):
    deltas = ours.encode_box_to_deltas(BOXES, OTHER, "xyxy", "xyxy", encoding, variance)
    other = theirs.encode_box_to_deltas(BOXES, OTHER, "xyxy", "xyxy", encoding, variance)
    np.testing.assert_allclose(deltas, other, rtol=1e-4)
    back = ours.decode_deltas_to_boxes(BOXES, deltas, "xyxy", "xyxy", encoding, variance)
    np.testing.assert_allclose(back, OTHER, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.convert_format(BOXES, "xyxy", "z"), "got 'z'"),
        (lambda: ours.convert_format(BOXES, "xyxy", "rel_xyxy"), "height and width"),
        (lambda: ours.convert_format(np.ones((2, 3)), "xyxy", "xywh"), "4 numbers"),
        (lambda: ours.crop(BOXES, 1, 1, 2, 2, "rel_xyxy"), "works in pixels"),
        (lambda: ours.encode_box_to_deltas(BOXES, OTHER, "xyxy", "xyxy", "xyxy"), "encoded as"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_affine_transforms(rng):
    boxes = np.stack([BOXES, OTHER])
    draws = {
        "angle": rng.uniform(-180, 180, 2),
        "translate_x": rng.uniform(-0.5, 0.5, 2),
        "translate_y": rng.uniform(-0.5, 0.5, 2),
        "scale": rng.uniform(0.5, 2, 2),
        "shear_x": rng.uniform(-40, 40, 2),
        "shear_y": rng.uniform(-40, 40, 2),
    }
    draws = {name: values.astype("f") for name, values in draws.items()}
    for centre in ({}, {"center_x": np.float32([0.1, 0.7]), "center_y": np.float32([0.9, 0.4])}):
        how = {**draws, **centre, "height": 100, "width": 200}
        mine, other = ours.affine_transform(boxes, **how), theirs.affine_transform(boxes, **how)
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-2)
        first = {name: v[:1] if np.ndim(v) else v for name, v in how.items()}
        alone = ours.affine_transform(boxes[0], **first)
        np.testing.assert_allclose(alone, mine[0], rtol=1e-5)
        for box_format in ("xywh", "rel_center_xywh"):  # Keras takes "xyxy" only
            given = ours.convert_format(boxes, "xyxy", box_format, 100, 200)
            found = ours.affine_transform(given, **how, bounding_box_format=box_format)
            back = ours.convert_format(found, box_format, "xyxy", 100, 200)
            np.testing.assert_allclose(back, mine, rtol=1e-3, atol=1e-2)
