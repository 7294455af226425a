"""Small dense networks predict without a program, and what a program predicts."""

import numpy as np
import pytest

from slipstream import layers
from slipstream.kernels import native
from slipstream.models import Model, Sequential
from slipstream.training.direct import Direct
from tests.kernels.native_cases import needs_native

pytestmark = needs_native


@pytest.fixture
def taken(monkeypatch):
    """How many calls were answered without a program."""
    count = []
    original = Direct.__call__

    def noting(self, x):
        found = original(self, x)
        count.append(found is not None)
        return found

    monkeypatch.setattr(Direct, "__call__", noting)
    return count


def built(last="sigmoid", width=9):
    return Sequential(
        [
            layers.Input((6,)),
            layers.Dense(width),
            layers.Activation("relu"),
            layers.Dropout(0.5),
            layers.Dense(4, "tanh", use_bias=False),
            layers.Dense(3, last),
        ]
    )


def by_program(model, x):
    """What the program of `predict_on_batch` finds."""
    return model.predict_on_batch(x)


def predict(model, x, **how):
    model.predict(x[:1], verbose=0)  # the session is there from the first call on
    return model.predict(x, verbose=0, **how)


@pytest.mark.parametrize("last", ["linear", "relu", "sigmoid", "tanh", "softmax"])
@pytest.mark.parametrize("rows", [1, 31, 500])
def test_outputs_are_the_program_s(taken, rng, last, rows):
    model, x = built(last), rng.normal(size=(rows, 6)).astype("f")
    found = predict(model, x)
    assert taken == [True]
    np.testing.assert_allclose(found, by_program(model, x), rtol=1e-5, atol=1e-6)
    assert found.flags.owndata and found.dtype == "float32"


def test_functional_models_too(taken, rng):
    inputs = layers.Input((6,))
    model = Model(inputs, layers.Dense(2, "softmax")(layers.Dense(5, "relu")(inputs)))
    x = rng.normal(size=(8, 6)).astype("f")
    np.testing.assert_allclose(predict(model, x), by_program(model, x), rtol=1e-5, atol=1e-6)
    assert taken == [True]


@pytest.mark.parametrize("width", [9, 7000])  # packed, and too large for that
def test_weights_are_the_present_ones(taken, rng, width):
    model, x = built(width=width), rng.normal(size=(300, 6)).astype("f")
    model.compile("sgd", "mse")
    before = predict(model, x)
    model.fit(x, rng.random((300, 3)).astype("f"), epochs=2, verbose=0)
    trained = model.predict(x, verbose=0)
    assert np.abs(trained - before).max() > 1e-4
    np.testing.assert_allclose(trained, by_program(model, x), rtol=1e-5, atol=1e-6)
    model.layers[0].kernel.assign(np.zeros((6, width)))
    np.testing.assert_allclose(
        model.predict(x, verbose=0), by_program(model, x), rtol=1e-5, atol=1e-6
    )
    assert np.ptp(model.predict(x, verbose=0), axis=0).max() == 0
    model.set_weights([np.full(w.shape, 0.1, "f") for w in model.get_weights()])
    np.testing.assert_allclose(
        model.predict(x, verbose=0), by_program(model, x), rtol=1e-5, atol=1e-6
    )
    assert taken == [True] * 5


def test_predictions_within_a_fit(taken, rng):
    model, x = built(), rng.normal(size=(64, 6)).astype("f")
    model.compile("adam", "mse")
    pairs = []

    def compare(epoch, logs):
        pairs.append((model.predict(x, verbose=0), by_program(model, x)))

    from slipstream.callbacks import LambdaCallback

    model.fit(
        x,
        rng.random((64, 3)).astype("f"),
        epochs=4,
        verbose=0,
        callbacks=[LambdaCallback(on_epoch_end=compare)],
    )
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert len({float(one.sum()) for one, _ in pairs}) == 4 and all(taken)


@pytest.mark.parametrize("change", ["strided", "double", "empty", "reference", "wide"])
def test_what_a_program_takes(taken, rng, change):
    model, x = built(width=20_000 if change == "wide" else 9), rng.normal(size=(20, 6)).astype("f")
    if change == "wide":  # so few rows of so large a network
        predict(model, x)
    elif change == "reference":
        model.predict(x[:1], verbose=0)
        with native.kernels("reference"):
            model.predict(x, verbose=0)
    else:
        given = {"strided": x[::2], "double": x.astype("d"), "empty": x[:0]}[change]
        assert predict(model, given).shape == (len(given), 3) if change != "empty" else True
    assert not any(taken)


class Doubled(Sequential):
    def predict_step(self, state, data):
        outputs, _ = self.stateless_call(*state, data)
        return 2 * outputs, state


class Backward(Sequential):
    def call(self, inputs, training=None, mask=None):
        return -super().call(inputs)


@pytest.mark.parametrize(
    "made",
    [
        lambda: Doubled([layers.Input((6,)), layers.Dense(3), layers.Dense(2)]),
        lambda: Backward([layers.Input((6,)), layers.Dense(3), layers.Dense(2)]),
        lambda: Sequential([layers.Input((6,)), layers.Dense(3), layers.LayerNormalization()]),
        lambda: Sequential([layers.Input((6,)), layers.Dense(3, "elu"), layers.Dense(2)]),
        lambda: Sequential([layers.Input((6,)), layers.Dense(3, trainable=False), layers.Dense(2)]),
        lambda: Sequential([layers.Input((6,), dtype="int32"), layers.Dense(3), layers.Dense(2)]),
    ],
)
def test_models_that_need_a_program(taken, rng, made):
    model, x = made(), rng.normal(size=(8, 6)).astype("f")
    np.testing.assert_allclose(predict(model, x), by_program(model, x), rtol=1e-5, atol=1e-6)
    assert not any(taken)


def test_callbacks_see_their_batches(taken, rng):
    from slipstream.callbacks import LambdaCallback

    model, x = built(), rng.normal(size=(70, 6)).astype("f")
    batches = []
    seen = LambdaCallback()
    seen.on_predict_batch_end = lambda batch, logs=None: batches.append(batch)
    predict(model, x, callbacks=[seen])
    assert batches == [0, 1, 2] and not any(taken)
