"""What augmentation layers make of pictures, beside Keras."""

import json

import keras
import numpy as np
import pytest
from augmentation_cases import EVERY, UNSEEDED, agree, pictures
from parity import plain

from slipstream import layers
from slipstream.core import registry

NAMES = pytest.mark.parametrize("name", EVERY)


READING = [
    {"fill_mode": mode, "interpolation": way, "fill_value": 7.0}
    for mode in ("reflect", "wrap", "constant", "nearest")
    for way in ("bilinear", "nearest")
]
# Settings that leave nothing to chance.
FIXED = [
    *[("RandomRotation", {"factor": (0.13, 0.13), **more}) for more in READING],
    *[("RandomZoom", {"height_factor": (0.4, 0.4), "width_factor": (-0.3, -0.3), **more})
      for more in READING[::3]],
    ("RandomZoom", {"height_factor": (0.5, 0.5)}),
    *[("RandomTranslation", {"height_factor": (0.31, 0.31), "width_factor": (-0.47, -0.47), **more})
      for more in READING[1::2]],
    ("RandomTranslation", {"height_factor": (1, 1), "width_factor": (-1, -1)}),
    ("RandomContrast", {"factor": (0, 0)}),
    ("RandomBrightness", {"factor": (0.3, 0.3)}),
    ("RandomBrightness", {"factor": (-0.9, -0.9)}),
    *[("RandomSaturation", {"factor": (f, f)}) for f in (-0.2, 0, 0.3, 0.5, 0.6)],
    *[("RandomColorDegeneration", {"factor": (f, f)}) for f in (-0.9, 0, 0.3, 1)],
    *[("RandomPosterization", {"factor": (f, f + 1)}) for f in (1, 4, 7)],
    ("RandomPosterization", {"factor": (3, 3)}),
    *[("RandomSharpness", {"factor": (f, f)}) for f in (0, 0.3, 0.5, 1)],
    ("RandomGaussianBlur", {"factor": (1, 1), "kernel_size": (3, 5), "sigma": (0.8, 0.8)}),
    ("RandomGaussianBlur", {"factor": (1, 1), "sigma": (0, 0)}),
    ("RandomInvert", {"factor": (1, 1)}),
    ("RandomGrayscale", {"factor": 1.0}),
    ("RandomColorJitter", {"brightness_factor": (0.2, 0.2), "saturation_factor": (0.4, 0.4)}),
    ("Solarization", {}),
    ("RandomErasing", {"factor": (0, 0)}),
    ("RandomElasticTransform", {"factor": (0, 0)}),
    ("RandomPerspective", {"factor": (1, 1), "scale": 0.0}),
    ("AutoContrast", {}),
    *[("ContrastLimitedAdaptiveHistogramEqualization", {"clip_limit": c, "tile_grid_size": g})
      for c, g in ((4.0, (8, 8)), (0.0, (1, 1)), (1.0, (3, 2)))],
    ("RandomCrop", {"height": 9, "width": 4}),
    ("RandomCrop", {"height": 5, "width": 14}),
    ("RandomCrop", {"height": 7, "width": 10}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments"), FIXED, ids=[f"{n}-{i}" for i, (n, _) in enumerate(FIXED)]
)
def test_settings_without_chance_give_what_keras_gives(name, arguments):
    x = pictures(2, 7, 10, 3)
    ours, theirs = (getattr(m, name)(**arguments) for m in (layers, keras.layers))
    agree(ours(x), theirs(x))


RANGED = [
    ("RandomBrightness", {"factor": (0.3, 0.3)}),
    ("RandomColorDegeneration", {"factor": (0.3, 0.3)}),
    ("RandomPosterization", {"factor": (3, 4)}),
    ("RandomInvert", {"factor": (1, 1)}),
    ("RandomGaussianBlur", {"factor": (1, 1), "sigma": (0.7, 0.7)}),
    ("Solarization", {}),
    ("AutoContrast", {}),
    ("ContrastLimitedAdaptiveHistogramEqualization", {}),
]


@pytest.mark.parametrize("ends", [(0, 1), (-1, 1)], ids=str)
@pytest.mark.parametrize(("name", "arguments"), RANGED, ids=[name for name, _ in RANGED])
def test_other_value_ranges(name, arguments, ends):
    x = pictures(2, 7, 10, 3) / 255 * (ends[1] - ends[0]) + ends[0]
    ours, theirs = (getattr(m, name)(**arguments, value_range=ends) for m in (layers, keras.layers))
    agree(ours(x), theirs(x), 1.0)


@pytest.mark.parametrize("ends", [(0, 255), (0, 1), (-1, 1)], ids=str)
def test_equalization_of_one_picture(ends):
    """Keras equalizes over the whole batch; here each picture is equalized by itself."""
    x = pictures(1, 7, 10, 3) / 255 * (ends[1] - ends[0]) + ends[0]
    for bins in (256, 16):
        ours, theirs = (m.Equalization(value_range=ends, bins=bins) for m in (layers, keras.layers))
        agree(ours(x), theirs(x), ends[1] - ends[0])
    both = np.concatenate([x, pictures(1, 7, 10, 3, seed=1)])
    agree(layers.Equalization(value_range=ends)(both)[:1], layers.Equalization(ends)(x))


@NAMES
def test_configurations_are_those_of_keras(name):
    arguments = dict(EVERY[name], bounding_box_format="xywh")
    if name not in UNSEEDED:
        arguments["seed"] = 4
    ours, theirs = (getattr(m, name)(**arguments) for m in (layers, keras.layers))
    told = {"RandomGrayscale": {"seed": 4}, "MaxNumBoundingBoxes": {"fill_value": -1}}
    mine = {**ours.get_config(), "name": ""}
    other = {**keras.saving.serialize_keras_object(theirs)["config"], **told.get(name, {})}
    assert plain(mine) == plain({**other, "name": ""})
    text = json.dumps(registry.serialize(ours))
    again = registry.deserialize(json.loads(text))
    assert json.dumps(registry.serialize(again)) == text
    from_keras = registry.deserialize(keras.saving.serialize_keras_object(theirs))
    assert plain({**from_keras.get_config(), **told.get(name, {}), "name": ""}) == plain(mine)
    if name != "RandomShear":  # Keras does not take the x_factor of its own configuration
        to_keras = keras.saving.deserialize_keras_object(json.loads(text))
        assert type(to_keras).__name__ == name


@pytest.mark.parametrize("x_factor", [0.2, 0.0])
def test_shear_comes_back_from_a_configuration_of_one_number(x_factor):
    theirs = keras.layers.RandomShear(x_factor=x_factor)
    again = registry.deserialize(keras.saving.serialize_keras_object(theirs))
    assert again.x_factor == (-x_factor, x_factor) == tuple(theirs.get_config()["x_factor"])


def test_a_pipeline_goes_both_ways():
    parts = [("RandomFlip", {"mode": "vertical"}), ("RandomBrightness", {"factor": (0.2, 0.2)})]
    ours, theirs = (
        m.Pipeline([getattr(m, n)(**a, name=n.lower()) for n, a in parts], name="p")
        for m in (layers, keras.layers)
    )
    mine, other = registry.serialize(ours), keras.saving.serialize_keras_object(theirs)
    assert plain(mine["config"]) == plain(other["config"])
    assert plain(registry.serialize(registry.deserialize(other))["config"]) == plain(mine["config"])
    keras.saving.deserialize_keras_object(json.loads(json.dumps(mine)))
    x = pictures(2, 4, 4, 3)
    agree(np.sum(ours(x), (1, 2, 3)), np.sum(np.asarray(theirs(x)), (1, 2, 3)), 255 * 48)
    np.testing.assert_array_equal(ours(x, training=False), x)


BAD = [
    ("RandomRotation", {"factor": 2.0}), ("RandomRotation", {"factor": (1, 2, 3)}),
    ("RandomRotation", {"factor": "a"}), ("RandomRotation", {"factor": 0.1, "fill_mode": "x"}),
    ("RandomRotation", {"factor": 0.1, "interpolation": "bicubic"}),
    ("RandomZoom", {"height_factor": -1.0}), ("RandomZoom", {"height_factor": 2.0}),
    ("RandomTranslation", {"height_factor": 1.5, "width_factor": 0.0}),
    ("RandomContrast", {"factor": 1.5}), ("RandomContrast", {"factor": -0.5}),
    ("RandomBrightness", {"factor": 1.5}),
    ("RandomBrightness", {"factor": 0.5, "value_range": (0, 1, 2)}),
    ("RandomBrightness", {"factor": 0.5, "value_range": 3}),
    ("RandomPosterization", {"factor": 9}), ("RandomPosterization", {"factor": 0}),
    ("RandomGrayscale", {"factor": 1.5}), ("RandomShear", {"x_factor": 1.5}),
    ("RandomShear", {"x_factor": -0.5}), ("RandomHue", {"factor": -0.1}),
    ("RandomSaturation", {"factor": 2}), ("RandomErasing", {"scale": 2.0}),
    ("RandomErasing", {"factor": 2.0}), ("CutMix", {"factor": 2.0}),
    ("RandomGaussianBlur", {"kernel_size": 4}), ("RandomGaussianBlur", {"sigma": 2.0}),
    ("RandomPerspective", {"scale": 2.0}), ("RandomElasticTransform", {"scale": 2.0}),
    ("Solarization", {"addition_factor": 2.0}), ("RandomFlip", {"data_format": "x"}),
    ("RandomFlip", {"seed": "a"}), ("RandomInvert", {"factor": -0.5}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "arguments"), BAD, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BAD)]
)
def test_bad_arguments(name, arguments):
    with pytest.raises((ValueError, NotImplementedError)) as theirs:
        getattr(keras.layers, name)(**arguments)
    with pytest.raises(theirs.type, match=f"{name} layer"):
        getattr(layers, name)(**arguments)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomFlip", {"mode": "diagonal"}), ("RandomCrop", {"height": 0, "width": 3}),
        ("RandomCrop", {"height": 2.5, "width": 3}), ("MixUp", {"alpha": -1.0}),
        ("AugMix", {"chain_depth": 0}), ("AugMix", {"alpha": 0.0}),
        ("RandAugment", {"num_ops": -1}),
        ("Equalization", {"bins": 0}), ("MaxNumBoundingBoxes", {"max_number": 0}),
        ("RandomFlip", {"bounding_box_format": "zz"}),
        ("ContrastLimitedAdaptiveHistogramEqualization", {"tile_grid_size": 3}),
    ],
)  # fmt: skip
def test_arguments_that_keras_takes_and_cannot_use(name, arguments):
    with pytest.raises(ValueError, match=f"{name} layer"):
        getattr(layers, name)(**arguments)


BOXES = np.array([[[4, 3, 12, 9], [0, 0, 29, 3.0], [20, 10, 30, 20]]], "float32")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomRotation", {"factor": (0.05, 0.05)}),
        ("RandomZoom", {"height_factor": (0.2, 0.2), "width_factor": (-0.3, -0.3)}),
        ("RandomTranslation", {"height_factor": (0.2, 0.2), "width_factor": (-0.5, -0.5)}),
        ("RandomPerspective", {"factor": (1, 1), "scale": 0.0}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_boxes_go_where_keras_puts_them(name, arguments):
    def run(library):
        layer = getattr(library, name)(**arguments, bounding_box_format="xyxy")
        boxes = {"boxes": BOXES, "labels": np.array([[1, 2, 3]], "float32")}
        return layer({"images": np.zeros((1, 20, 30, 1), "f"), "bounding_boxes": boxes})

    mine, other = (run(library)["bounding_boxes"] for library in (layers, keras.layers))
    np.testing.assert_allclose(mine["boxes"], other["boxes"], atol=2e-3)
    np.testing.assert_array_equal(mine["labels"], other["labels"])
