"""Prediction gives every row its own output, at any number of rows, and leaks nothing."""

import gc

import jax
import numpy as np
import pytest

from slipstream import layers
from slipstream.core.layer import Layer
from slipstream.models import Model, Sequential
from slipstream.training import predict


@pytest.fixture(scope="module")
def model():
    return Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2, "softmax")])


def by_hand(model, x):
    k1, b1, k2, b2 = model.get_weights()
    logits = np.maximum(x @ k1 + b1, 0) @ k2 + b2
    odds = np.exp(logits)
    return odds / odds.sum(1, keepdims=True)


@pytest.mark.parametrize("rows", [1, 2, 3, 31, 32, 33, 1000, 5001])
def test_rows_of_any_number(model, rows, rng):
    x = rng.normal(size=(rows, 3)).astype("f")
    outputs = model.predict(x)
    assert isinstance(outputs, np.ndarray)
    np.testing.assert_allclose(outputs, by_hand(model, x), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(x, batch_size=7), outputs, rtol=1e-5, atol=1e-6)


@pytest.fixture
def parts(monkeypatch):
    """What predictions are cut into: arrays and their rows."""
    found, cut = [], predict._parts

    def noting(*given):
        for part, count in cut(*given):
            found.append((part, count))
            yield part, count

    monkeypatch.setattr(predict, "_parts", noting)
    return found


@pytest.fixture(scope="module")
def large():
    """A model whose rows take some 2.5 million operations, so that few of them fill a dispatch."""
    model = Sequential([layers.Input((40, 40, 1)), layers.Conv2D(40, 5), layers.Flatten()])
    return Sequential([model, layers.Dense(2)])


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        (33, [32, 1]),
        (200, [32] * 6 + [8]),
        (230, [230]),
        (300, [256, 32, 12]),
        (1000, [256, 256, 256, 232]),
    ],
)
def test_rows_of_a_large_model_go_in_parts(large, rows, counts, parts, rng):
    x = rng.normal(size=(rows, 40, 40, 1)).astype("f")
    outputs = large.predict(x)
    assert [count for _, count in parts] == counts
    np.testing.assert_allclose(outputs, large.predict_on_batch(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "within"),
    [((16, 16), [layers.Reshape((256, 1))]), ((16,), [layers.RepeatVector(16)])],
    ids=["inputs", "results"],
)
def test_parts_hold_few_bytes(shape, within, parts, rng, monkeypatch):
    """Rows that are hardly computed with do not come by the thousand where they are large."""
    monkeypatch.setattr(predict, "_BYTES_A_DISPATCH", 1 << 16)  # of 64 rows
    model = Sequential([layers.Input(shape), *within, layers.GlobalAveragePooling1D()])
    x = rng.normal(size=(300, *shape)).astype("f")
    wanted = x.mean((1, 2), keepdims=True)[:, 0] if len(shape) == 2 else x
    np.testing.assert_allclose(model.predict(x), wanted, rtol=1e-4, atol=1e-6)
    assert [count for _, count in parts] == [64, 64, 64, 64, 44]


def test_on_a_gpu_the_program_itself_brings_outputs_to_the_host(monkeypatch, rng):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    model = Sequential([layers.Input((3,)), layers.Dense(4, "relu"), layers.Dense(2, "softmax")])
    x = rng.normal(size=(70, 3)).astype("f")
    for rows in (1, 32, 70):
        found = model.predict(x[:rows])
        np.testing.assert_allclose(found, by_hand(model, x[:rows]), rtol=1e-5, atol=1e-6)
        found += 1  # it is the caller's own
    to_host = model._session.predict.to_host(x)
    assert to_host.sharding.memory_kind == "pinned_host"
    assert model(x).sharding.memory_kind == "device"
    np.testing.assert_allclose(to_host, by_hand(model, x), rtol=1e-5, atol=1e-6)


def test_forms_of_input(model, rng):
    x = rng.normal(size=(6, 3)).astype("f")
    expected = by_hand(model, x)
    for outputs in (
        model.predict(x.astype("float64")),
        model.predict(x.tolist()),
        model.predict(part for part in np.split(x, [4])),
        model.predict([(x[:4], np.ones(4)), (x[4:], np.ones(2))].__iter__()),
        model.predict_on_batch(x),
        model(x),
        model(jax.numpy.asarray(x)),
    ):
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    assert model.predict(x, steps=2, batch_size=2).shape == (4, 2)


def test_empty_input_gives_empty_output(model):
    assert model.predict(np.zeros((0, 3), "f")).shape == (0, 2)


def test_outputs_are_the_callers_own(model):
    x = np.ones((1, 3), "f")
    first = model.predict(x)
    before = first.copy()
    first[:] = 7
    np.testing.assert_array_equal(model.predict(x), before)


def test_new_weights_count_at_once(model):
    x = np.ones((2, 3), "f")
    weights = model.get_weights()
    model.set_weights([np.zeros_like(w) for w in weights])
    np.testing.assert_allclose(model.predict(x), 0.5)
    model.set_weights(weights)
    np.testing.assert_allclose(model.predict(x), by_hand(model, x), rtol=1e-5)


def test_rows_that_meet_are_computed_in_the_batches_asked_for(rng):
    class Centred(Layer):
        def call(self, inputs):
            return inputs - inputs.mean(0)

    x = rng.normal(size=(10, 3)).astype("f")
    outputs = Sequential([layers.Input((3,)), Centred()]).predict(x, batch_size=4)
    expected = np.concatenate([part - part.mean(0) for part in np.split(x, [4, 8])])
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_structures_in_and_out(rng):
    class Both(Model):
        def call(self, inputs):
            return {"sum": inputs["a"] + inputs["b"], "list": [inputs["a"]]}

    a, b = rng.normal(size=(2, 40, 3)).astype("f")
    outputs = Both().predict({"a": a, "b": b})
    np.testing.assert_allclose(outputs["sum"], a + b, rtol=1e-6)
    np.testing.assert_array_equal(outputs["list"][0], a)


def test_rows_that_meet_in_a_custom_layer_keep_their_number(rng):
    """Plain arrays take the quick way; a layer that might mix rows is given exactly these."""

    class Centered(Layer):
        def call(self, inputs):
            return inputs - inputs.mean(0, keepdims=True)

    left, right = layers.Input((3,)), layers.Input((2,))
    joined = layers.Concatenate()([Centered()(left), right])
    model = Model([left, right], joined)
    for rows in (1, 5, 33, 70):
        x = [rng.normal(size=(rows, n)).astype("f") for n in (3, 2)]
        wanted = np.concatenate([x[0] - x[0].mean(0), x[1]], 1)
        for _ in range(2):  # the second has a session already
            np.testing.assert_allclose(model.predict(x, batch_size=70), wanted, atol=1e-6)
    x = [np.zeros((4, 3), "f"), np.zeros((5, 2), "f")]
    with pytest.raises(ValueError, match="differ in their number of examples"):
        model.predict(x)


def test_ten_thousand_calls_leak_nothing(model):
    x = np.ones((1, 3), "f")
    for _ in range(100):
        model.predict(x)
    gc.collect()
    objects, arrays = len(gc.get_objects()), len(jax.live_arrays())
    for _ in range(10_000):
        model.predict(x)
    gc.collect()
    assert len(gc.get_objects()) - objects < 100
    assert len(jax.live_arrays()) - arrays <= 1


def test_few_programs_serve_all_sizes(model, rng):
    for rows in range(1, 130):
        model.predict(rng.normal(size=(rows, 3)).astype("f"), batch_size=128)
    sizes = model._session.predict.program._cache_size()
    assert sizes <= 30


def test_gradients_flow_through_a_model_called_inside_jax(model, rng):
    x = rng.normal(size=(4, 3)).astype("f")
    gradient = jax.grad(lambda x: model(x)[:, 0].sum())(x)
    step = 1e-6  # in float64, so that no unit's kink lies between
    for i in range(3):
        up, down = x.astype("d"), x.astype("d")
        up[:, i] += step
        down[:, i] -= step
        slope = (by_hand(model, up)[:, 0] - by_hand(model, down)[:, 0]) / (2 * step)
        np.testing.assert_allclose(gradient[:, i], slope, rtol=1e-4, atol=1e-6)
