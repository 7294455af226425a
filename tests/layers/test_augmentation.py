"""Augmentation layers by themselves: forms of input, modes, draws, what follows the pictures."""

import copy
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from augmentation_cases import ALWAYS, COLORED, EVERY, KEEP_BYTES, NO_BOXES, blob, pictures

from slipstream import layers
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.kernels.channels import of_channels
from slipstream.kernels.pointwise import clip
from slipstream.layers.augmentation import drawing
from slipstream.models import Model, Sequential
from slipstream.utils import set_random_seed

NAMES = pytest.mark.parametrize("name", EVERY)
SLOW = {"RandAugment", "AugMix"}  # to compile
MOST = pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.long) if n in SLOW else n for n in EVERY]
)
RANDOM = pytest.mark.parametrize(
    "name",
    [n for n in EVERY if n not in ALWAYS - {"RandomCrop"} and n != "Equalization"],
)


def make(name, **more):
    return getattr(layers, name)(**EVERY[name], **more)


def step(layer, data, key=0, training=True):
    """A call inside of a program, as in a step of training."""
    with Scope(key=key_from(key)).active():
        return layer(data, training=training)


@NAMES
def test_shapes_types_and_prediction(name):
    x = pictures(3, 8, 9, 3)
    layer = make(name)
    size = (4, 5) if name == "RandomCrop" else (8, 9)
    symbolic = layer(layers.Input((8, 9, 3)))
    assert symbolic.shape == (None, *size, 3)
    for dtype in ("float32", "uint8"):
        given = x.astype(dtype)
        result = layer(given)
        wanted = dtype if name in KEEP_BYTES else "float32"
        assert result.shape == (3, *size, 3)
        assert layer(layers.Input((8, 9, 3), dtype=dtype)).dtype == str(result.dtype) == wanted
        assert np.isfinite(np.asarray(result, "f")).all()
        if name not in ALWAYS:
            off = layer(given, training=False)
            np.testing.assert_array_equal(off, given)
            assert off.dtype == wanted
    assert layer(x[0]).shape == (*size, 3)


@MOST
def test_the_same_draw_in_every_form_of_input(name):
    """Channels first, one picture and a longer batch see what the plain form sees."""
    x = pictures(3, 6, 7, 3)
    last, first = make(name), make(name, data_format="channels_first")
    expected = np.asarray(step(last, x))
    turned = step(first, np.moveaxis(x, -1, 1))
    np.testing.assert_allclose(np.moveaxis(np.asarray(turned), 1, -1), expected, atol=1e-3)
    if last.per_example:
        np.testing.assert_allclose(step(last, x[0]), expected[0], atol=1e-3)
        if name not in ("RandomErasing", "RandomElasticTransform"):
            longer = np.concatenate([x, pictures(2, 6, 7, 3, seed=1)])
            np.testing.assert_allclose(step(last, longer)[:3], expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(0, 6, 7, 3), (2, 1, 1, 3), (2, 1, 5, 3), (2, 6, 7, 1)], ids=str)
@MOST
def test_odd_shapes(name, shape):
    if shape[-1] == 1 and name in COLORED:
        with pytest.raises(ValueError, match=r"takes pictures of 3 channels; got 1") as error:
            make(name)(pictures(*shape))
        assert any(note.startswith("In layer") for note in error.value.__notes__)
        return
    result = make(name)(pictures(*shape))
    size = (4, 5) if name == "RandomCrop" else shape[1:3]
    assert result.shape == (shape[0], *size, shape[-1])
    assert np.isfinite(np.asarray(result)).all()


def everything(batch=4, height=8, width=10):
    rng = np.random.default_rng(0)
    boxes = np.array([[1, 2, 5, 6], [0, 0, 9, 3]], "float32") + np.zeros((batch, 1, 1), "f")
    return {
        "images": pictures(batch, height, width, 3),
        "labels": np.eye(batch, dtype="float32"),
        "segmentation_masks": rng.integers(0, 4, (batch, height, width, 1)).astype("int32"),
        "bounding_boxes": {"boxes": boxes, "labels": np.ones((batch, 2), "float32")},
        "name": np.arange(batch, dtype="int32"),
    }


@NAMES
def test_dictionaries(name):
    data = everything()
    if name in NO_BOXES:
        layer = make(name, bounding_box_format="xyxy")
        with pytest.raises(NotImplementedError, match="boxes"):
            layer(data)
        del data["bounding_boxes"]
    layer = make(name, bounding_box_format="xyxy")
    result = layer(data)
    assert result.keys() == data.keys()
    np.testing.assert_array_equal(result["name"], data["name"])

    def symbol(leaf):
        return layers.Input(batch_shape=leaf.shape, dtype=leaf.dtype.name)

    specs = layer(jax.tree.map(symbol, data))
    for leaf, spec in zip(jax.tree.leaves(result), jax.tree.leaves(specs), strict=True):
        assert (leaf.shape, str(leaf.dtype)) == (spec.shape, spec.dtype)
    if name in ("MixUp", "CutMix"):
        assert np.allclose(np.sum(result["labels"], -1), 1)
    else:
        np.testing.assert_array_equal(result["labels"], data["labels"])
        assert set(np.unique(result["segmentation_masks"])) <= {0, 1, 2, 3}
    if "bounding_boxes" in data:
        boxes = np.asarray(result["bounding_boxes"]["boxes"])
        assert (boxes >= -1).all()
        assert (boxes <= [10, 8, 10, 8]).all()
    if name != "RandomCrop":
        off = layer(data, training=False)
        assert name in ALWAYS or np.array_equal(off["images"], data["images"])


@pytest.mark.parametrize(
    ("layer", "data", "message"),
    [
        (layers.RandomFlip(), {"labels": np.ones(2)}, "wants pictures under 'images'"),
        (layers.RandomFlip(), np.ones((2, 3)), "pictures of 3 axes"),
        (layers.RandomFlip(), everything(), "bounding_box_format"),
        (layers.MixUp(), {"images": np.ones((2, 3, 3, 1)), "labels": np.ones(2, "int32")},
         "one-hot"),
        (layers.RandomGrayscale(), np.ones((2, 3, 3, 4)), "1 or 3 channels; got 4"),
    ],
    ids=["no images", "axes", "format", "class numbers", "channels"],
)  # fmt: skip
def test_inputs_that_do_not_fit(layer, data, message):
    with pytest.raises(ValueError, match=message):
        layer(data)


# ---- geometry ------------------------------------------------------------------------------------

MOVES = {
    "RandomFlip": [{"mode": m} for m in ("horizontal", "vertical", "horizontal_and_vertical")],
    "RandomRotation": [{"factor": 1.0, "fill_mode": "constant"}],
    "RandomZoom": [{"height_factor": 0.4, "width_factor": (-0.4, 0.1), "fill_mode": "constant"}],
    "RandomTranslation": [{"height_factor": 0.2, "width_factor": 0.25, "fill_mode": "constant"}],
    "RandomShear": [{"x_factor": 0.3, "y_factor": 0.3, "fill_mode": "constant"}],
    "RandomPerspective": [{"factor": (1, 1), "scale": 0.5}],
    "RandomCrop": [{"height": 20, "width": 25}],
}
CASES = [(name, arguments) for name, all_of_them in MOVES.items() for arguments in all_of_them]


@pytest.mark.parametrize(
    ("name", "arguments"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)]
)
def test_masks_and_boxes_follow_the_picture(name, arguments):
    images = blob(12, 30, 40, 9, 14, 9)
    data = {
        "images": images,
        "segmentation_masks": (images / 255).astype("int32"),
        "bounding_boxes": {
            "boxes": np.full((12, 1, 4), [14, 9, 9, 9], "f"),
            "labels": np.ones((12, 1), "f"),
        },
    }
    result = getattr(layers, name)(**arguments, seed=2, bounding_box_format="xywh")(data)
    after = np.asarray(result["images"])[..., 0]
    masks = np.asarray(result["segmentation_masks"])[..., 0]
    assert np.mean((after > 127) != masks) < 0.02
    moved = 0
    for i, (left, top, wide, tall) in enumerate(
        np.asarray(result["bounding_boxes"]["boxes"])[:, 0]
    ):
        rows, columns = np.nonzero(after[i] > 127)
        if not len(rows) or rows.min() == 0 or columns.min() == 0:
            continue
        if rows.max() == after.shape[1] - 1 or columns.max() == after.shape[2] - 1:
            continue
        moved += 1
        # An upright box about a turned square holds it, and is at most a pixel and a half wider.
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        slack = 1.6 if name != "RandomRotation" else 2.5
        np.testing.assert_allclose([left, top, left + wide, top + tall], found, atol=slack)
    assert moved >= 4


def test_a_box_that_leaves_the_picture_gets_label_minus_one():
    layer = layers.RandomTranslation((0, 0), (-0.5, -0.5), bounding_box_format="rel_xyxy")
    boxes = {"boxes": np.array([[[0.1, 0.1, 0.3, 0.4], [0.4, 0.2, 0.9, 0.8]]], "f"),
             "labels": np.array([[3, 4]], "int32")}  # fmt: skip
    result = layer({"images": pictures(1, 10, 20, 3), "bounding_boxes": boxes})["bounding_boxes"]
    np.testing.assert_array_equal(result["labels"], [[-1, 4]])
    np.testing.assert_allclose(result["boxes"][0, 1], [0, 0.2, 0.4, 0.8], atol=1e-6)


def test_crops_come_from_everywhere_and_in_prediction_from_the_middle():
    places = np.arange(6 * 8, dtype="float32").reshape(1, 6, 8, 1).repeat(800, 0)
    result = np.asarray(layers.RandomCrop(3, 4, seed=0)(places))[..., 0]
    corners = result[:, 0, 0].astype(int)
    assert set(corners) == {8 * row + column for row in range(4) for column in range(5)}
    np.testing.assert_array_equal(
        result - result[:, :1, :1], (places[:, :3, :4] - places[:, :1, :1])[..., 0]
    )
    np.testing.assert_array_equal(
        layers.RandomCrop(3, 4)(places, training=False)[0, ..., 0], places[0, 1:4, 2:6, 0]
    )


def test_known_pictures_land_where_they_must():
    square = blob(1, 20, 20, 4, 6, 3)[..., 0]
    turned = layers.RandomRotation((0.25, 0.25))(square[..., None])[..., 0]
    np.testing.assert_allclose(turned, np.rot90(square, 1, (1, 2)), atol=1e-3)
    moved = layers.RandomTranslation((0.1, 0.1), (-0.2, -0.2), "wrap")(square[..., None])[..., 0]
    np.testing.assert_allclose(moved, np.roll(square, (2, -4), (1, 2)), atol=1e-3)
    half = layers.RandomZoom((1.0, 1.0), fill_mode="constant", fill_value=9.0)(
        np.full((1, 20, 20, 1), 100.0, "f")
    )
    assert np.isclose(half, 100).mean() == 0.25
    assert np.isclose(half, 9).mean() == 0.75


@pytest.mark.parametrize("shape", [(2, 5, 1, 3), (2, 3, 7, 1), (1, 4, 64, 3), (2, 3, 203, 2)])
def test_figures_of_channels(shape):
    x = pictures(*shape)
    for combine, expected in ((jnp.minimum, np.min), (jnp.maximum, np.max), (jnp.add, np.sum)):
        found = jax.jit(of_channels, static_argnums=0)(combine, x)
        np.testing.assert_allclose(found, expected(x, (1, 2), keepdims=True), rtol=1e-6)


def test_clip_is_that_of_numpy():
    values = np.array([-np.inf, -2, -1, 0.5, 1, 3, np.inf, np.nan], "float32")
    np.testing.assert_array_equal(clip(values, -1, 1), np.clip(values, -1, 1))
    ends = np.linspace(0, 2, 8, dtype="float32")
    np.testing.assert_array_equal(clip(values, 0, ends), np.clip(values, 0, ends))


# ---- chance --------------------------------------------------------------------------------------


@RANDOM
def test_draws_differ_between_steps_and_examples_and_repeat(name):
    x = np.broadcast_to(pictures(1, 8, 9, 3), (6, 8, 9, 3))
    x = np.concatenate([x, pictures(2, 8, 9, 3, seed=1)])
    layer = make(name)
    run = jax.jit(lambda key: step(layer, jnp.asarray(x), key))
    results = [np.asarray(run(np.uint32(k))) for k in range(6)]
    np.testing.assert_array_equal(results[2], run(np.uint32(2)))
    assert any(not np.array_equal(results[0], other) for other in results[1:])
    if name not in ("RandAugment", "AugMix"):  # which may draw layers that draw nothing
        assert any(not np.array_equal(r[0], other) for r in results for other in r[1:6])
    np.testing.assert_allclose(results[1], step(layer, x, 1), atol=1e-2)  # jit changes nothing


@pytest.mark.parametrize("name", ["RandomFlip", "RandomErasing", "MixUp"])
def test_seeds_make_calls_outside_of_models_repeat(name):
    x = pictures(16, 8, 9, 3)
    first, second = make(name, seed=3), make(name, seed=3)
    runs = [np.asarray(first(x)) for _ in range(3)]
    for run in runs:
        np.testing.assert_array_equal(run, second(x))
    assert not np.array_equal(runs[0], runs[1])
    assert not np.array_equal(make(name, seed=4)(x), runs[0])
    set_random_seed(1)
    unseeded = np.asarray(make(name)(x))
    set_random_seed(1)
    np.testing.assert_array_equal(make(name)(x), unseeded)


def test_arrays_of_one_shape_compile_one_program():
    layer = layers.RandomRotation(0.1)
    for i in range(4):
        layer(pictures(4, 8, 8, 3, seed=i))
    assert layer._program._cache_size() == 1
    layer(pictures(5, 8, 8, 3))
    assert layer._program._cache_size() == 2


@pytest.mark.parametrize("number", [0, 2**31, 2**32 - 5])
def test_a_call_on_arrays_draws_as_a_program_with_that_key(number, monkeypatch):
    monkeypatch.setattr(drawing, "draw_seed", lambda: number)
    x = pictures(8, 6, 5, 3)
    for name in ("RandomBrightness", "CutMix"):
        expected = step(make(name), jnp.asarray(x), np.uint32(number))
        np.testing.assert_allclose(make(name)(x), expected, atol=1e-2)


def test_a_call_on_arrays_leaves_its_penalty_and_warns_of_masks():
    x = pictures(4, 4, 4, 3)
    layer = layers.RandomFlip(activity_regularizer="l2")
    layer(x)
    np.testing.assert_allclose(layer.losses, [0.01 * np.sum(np.square(x)) / 4], rtol=1e-5)
    masked = layers.Masking()(np.ones((2, 3, 4), "f"))
    with pytest.warns(UserWarning, match="does not pass masks on"):
        layers.RandomGain(3.0)(masked)


def test_layers_are_copied_and_pickled_after_a_call():
    layer = layers.RandomBrightness((0.2, 0.2), seed=1)
    x = pictures(2, 4, 4, 3)
    expected = layer(x)
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(again(x), expected)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float16"])
def test_low_precision_places_pixels_as_exactly(policy):
    ramp = np.arange(200, dtype="float32").reshape(1, 1, 200, 1).repeat(2, 1)
    low = layers.RandomTranslation((0, 0), (0.1, 0.1), dtype=policy)(ramp)
    assert low.dtype == policy.removeprefix("mixed_")
    exact = layers.RandomTranslation((0, 0), (0.1, 0.1))(ramp)
    np.testing.assert_allclose(np.asarray(low, "f"), exact, rtol=1e-2)


def test_gradients_pass_through():
    layer = layers.RandomTranslation((0, 0), (0.5, 0.5), "constant")
    gradient = jax.grad(lambda x: jnp.sum(step(layer, x)))(jnp.ones((1, 2, 4, 1)))
    np.testing.assert_allclose(gradient[0, 0, :, 0], [1, 1, 0, 0], atol=1e-5)


# ---- in models -----------------------------------------------------------------------------------


class Seen(layers.Layer):
    """Keeps the sum of what it was given while training."""

    per_example = True

    def build(self, input_shape):
        self.total = self.add_weight((), "zeros", trainable=False)
        self.spread = self.add_weight((), "zeros", trainable=False)

    def call(self, x, training=False):
        sums = jnp.sum(x, (1, 2, 3))
        if training:
            self.total.assign(self.total.value + jnp.sum(sums))
            self.spread.assign(self.spread.value + jnp.std(sums))
        return x


def classifier(*parts):
    model = Sequential([layers.Input((6, 6, 1)), *parts, layers.Flatten(), layers.Dense(2)])
    model.compile("sgd", "mse")
    return model


def test_layers_act_in_fit_and_not_in_prediction():
    x, y = np.full((32, 6, 6, 1), 100.0, "f"), np.zeros((32, 2), "f")
    seen = Seen()
    model = classifier(layers.RandomBrightness(0.3), seen, layers.Rescaling(1 / 255))
    set_random_seed(0)
    model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    first = float(seen.total.value)
    assert abs(first - 2 * x.sum()) > 100
    assert float(seen.spread.value) > 10  # examples differ
    inner = Model(model.inputs, seen.output)
    np.testing.assert_array_equal(inner.predict(x, verbose=0), x)
    np.testing.assert_array_equal(inner(x), x)
    assert not np.array_equal(inner(x, training=True), x)


def test_a_seed_repeats_a_run():
    x = pictures(20, 6, 6, 1) / 255
    y = np.zeros((20, 2), "f")
    losses = []
    for seed in (1, 1, 2):
        set_random_seed(seed)
        parts = [make("RandomFlip"), layers.RandomRotation(0.2), layers.RandomErasing()]
        history = classifier(*parts).fit(x, y, batch_size=8, epochs=2, verbose=0).history
        losses.append(history["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_mixing_in_fit_with_a_last_batch_that_is_smaller():
    class Mixed(Model):
        def __init__(self):
            super().__init__()
            self.mix, self.flat, self.out = layers.MixUp(1.0), layers.Flatten(), layers.Dense(2)

        def call(self, data, training=False):
            return self.out(self.flat(self.mix(data["images"], training=training)))

    model = Mixed()
    model.compile("sgd", "mse")
    x = {"images": pictures(21, 4, 4, 1) / 255}
    history = model.fit(x, np.zeros((21, 2), "f"), batch_size=8, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_a_pipeline_in_a_model_and_on_arrays():
    def parts():
        return [
            layers.RandomCrop(4, 5, seed=1),
            layers.RandomFlip(seed=2),
            layers.Rescaling(1 / 255),
        ]

    x = pictures(8, 6, 7, 3)
    pipeline, chain = layers.Pipeline(parts()), parts()
    expected = x
    for layer in chain:
        expected = layer(expected)
    np.testing.assert_array_equal(pipeline(x), expected)
    spec = layers.Pipeline(parts())(layers.Input((6, 7, 3)))
    assert spec.shape == (None, 4, 5, 3)
    model = Sequential([layers.Input((6, 7, 3)), layers.Pipeline(parts()), layers.Flatten()])
    middle = x[:, 1:5, 1:6] / 255
    np.testing.assert_allclose(model.predict(x, verbose=0), middle.reshape(8, -1), rtol=1e-6)


def test_show_draws_the_pictures_and_what_became_of_them():
    pytest.importorskip("PIL")
    x = pictures(3, 6, 8, 3)
    sheet = np.asarray(layers.RandomInvert((1, 1)).show(x, draws=2, rows=2))
    assert sheet.shape == (2 * 6 + 2, 3 * 8 + 4, 3)
    np.testing.assert_array_equal(sheet[:6, :8], x[0].round())
    np.testing.assert_allclose(sheet[8:, 10:18], 255 - x[1], atol=0.51)
    grey = layers.RandomFlip(data_format="channels_first").show({"images": x[0, ..., :1].T / 255})
    assert np.asarray(grey).shape == (8, 5 * 6 + 8, 3)
