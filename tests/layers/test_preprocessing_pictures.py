"""Resizing and cropping of pictures are those of Keras."""

import keras
import numpy as np
import parity
import pytest

from slipstream import layers

R, C = "Resizing", "CenterCrop"
PICTURES = (2, 5, 7, 3)
CASES = [
    (R, {"height": 3, "width": 4}, PICTURES),
    (R, {"height": 8, "width": 9, "interpolation": "bicubic"}, PICTURES),
    (R, {"height": 4, "width": 6, "interpolation": "nearest"}, PICTURES),
    (R, {"height": 3, "width": 3, "interpolation": "lanczos3", "antialias": True}, PICTURES),
    (R, {"height": 4, "width": 4, "crop_to_aspect_ratio": True}, PICTURES),
    (R, {"height": 4, "width": 4, "pad_to_aspect_ratio": True, "fill_value": 2.0}, PICTURES),
    (R, {"height": 3, "width": 4, "data_format": "channels_first"}, (2, 3, 5, 7)),
    (R, {"height": 2, "width": 1}, (1, 1, 1, 1)),
    (C, {"height": 3, "width": 4}, PICTURES),
    (C, {"height": 2, "width": 2}, PICTURES),
    (C, {"height": 6, "width": 4}, PICTURES),
    (C, {"height": 8, "width": 9}, PICTURES),
    (C, {"height": 5, "width": 7}, PICTURES),
    (C, {"height": 3, "width": 3, "data_format": "channels_first"}, (2, 3, 5, 7)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestPictures:
    def test_values(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape), gradients=False)

    def test_shapes_and_configuration(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))
        parity.check_config(name, arguments, parity.data(shape))


def test_types_and_single_pictures_are_those_of_keras(rng):
    whole = rng.integers(0, 256, PICTURES, dtype="uint8")
    for name in (R, C):
        for picture in (whole, whole[0]):
            ours, theirs = getattr(layers, name)(3, 3), getattr(keras.layers, name)(3, 3)
            mine, other = np.asarray(ours(picture)), np.asarray(theirs(picture))
            assert (mine.dtype, mine.shape) == (other.dtype, other.shape)
            np.testing.assert_allclose(mine.astype("f"), other.astype("f"), atol=1)
    spec = layers.Resizing(3, 3)(layers.Input((5, 7, 3), dtype="uint8"))
    assert spec.dtype == "uint8" and spec.shape == (None, 3, 3, 3)


def test_dictionaries_keep_their_labels(rng):
    pictures = rng.normal(size=PICTURES).astype("f")
    both = layers.Resizing(3, 3)({"images": pictures, "labels": np.arange(2)})
    np.testing.assert_array_equal(both["images"], layers.Resizing(3, 3)(pictures))
    assert np.asarray(both["labels"]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Resizing(0, 3), "height must be a whole number of at least 1; got 0"),
        (lambda: layers.Resizing(3, 3, interpolation="x"), "interpolation must be one of"),
        (lambda: layers.Resizing(3, 3, fill_mode="x"), "fill_mode must be one of"),
        (
            lambda: layers.Resizing(3, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
            "only one of",
        ),
        (lambda: layers.CenterCrop(3, 3)(np.ones((3, 3), "f")), r"3 axes.*\(3, 3\)"),
        (lambda: layers.Resizing(3, 3)({"images": np.ones((4, 4, 3)), "boxes": 1}), r"\['boxes'\]"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
