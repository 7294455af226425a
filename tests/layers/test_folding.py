"""A convolution or dense layer, batch normalization and ReLU as one operation in prediction."""

import jax
import keras
import numpy as np
import pytest

import slipstream
from slipstream.core.scope import Scope

SHAPE = (9, 8, 6)
FIRST = {
    "1D": ((17, 6), lambda api: api.Conv1D(7, 3, 2, "causal")),
    "2D": (SHAPE, lambda api: api.Conv2D(7, 3, use_bias=False)),
    "2D, groups and dilation": (SHAPE, lambda api: api.Conv2D(8, 3, groups=2, dilation_rate=2)),
    "one position": (SHAPE, lambda api: api.Conv2D(7, 1, use_bias=False)),
    "3D": ((5, 6, 4, 3), lambda api: api.Conv3D(5, 2, padding="same")),
    "depthwise": (SHAPE, lambda api: api.DepthwiseConv2D(3, 2, "same", depth_multiplier=2)),
    "depthwise 1D": ((12, 5), lambda api: api.DepthwiseConv1D(3, use_bias=False)),
    "dense": ((11,), lambda api: api.Dense(300)),
    "dense on positions": ((7, 11), lambda api: api.Dense(5, use_bias=False)),
}
NORM = {
    "all": lambda api: api.BatchNormalization(),
    "no scale": lambda api: api.BatchNormalization(scale=False, epsilon=1e-5),
    "no center": lambda api: api.BatchNormalization(center=False),
    "bare": lambda api: api.BatchNormalization(center=False, scale=False),
}
THEN = {
    "nothing": lambda api: [],
    "relu": lambda api: [api.ReLU()],
    "relu6": lambda api: [api.ReLU(6.0)],
    "low": lambda api: [api.ReLU(0.5)],
    "named": lambda api: [api.Activation("relu")],
    "named relu6": lambda api: [api.Activation("relu6")],
    "leaky": lambda api: [api.ReLU(negative_slope=0.1)],
    "late": lambda api: [api.ReLU(threshold=0.3)],
    "another": lambda api: [api.Activation("tanh")],
}
SOME = [(first, "all", "relu") for first in FIRST]
SOME += [("2D", norm, "relu6") for norm in NORM] + [("depthwise", "all", then) for then in THEN]


def stack(api, shape, *layers):
    """A functional model of layers in a row."""
    x = inputs = api.Input(shape)
    for layer in layers:
        x = layer(x)
    return api.Model(inputs, x)


def pair(shape, build):
    """The same model here and in Keras, with the same random weights and moving averages."""
    ours, theirs = (stack(api, shape, *build(api.layers)) for api in (slipstream, keras))
    draw = np.random.default_rng(0)
    weights = [
        draw.uniform(0.3, 3, v.shape) if "variance" in v.path else draw.normal(0, 0.7, v.shape)
        for v in ours.weights
    ]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs, draw.normal(size=(3, *shape)).astype("float32")


def text(model, x, training=False):
    """The program's operations."""

    def run(x):
        with Scope(training=training, dry=bool(training)).active():  # dry: keeps no averages
            return model(x)

    return str(jax.make_jaxpr(run)(x))


@pytest.mark.parametrize(("first", "norm", "then"), sorted(set(SOME)))
def test_predictions_are_keras(first, norm, then):
    shape, layer = FIRST[first]
    ours, theirs, x = pair(shape, lambda api: [layer(api), NORM[norm](api), *THEN[then](api)])
    assert "scaled_" in text(ours, x) and "rsqrt" in text(ours, x)
    assert "scaled_" not in text(ours, x, training=True)
    wanted = theirs.predict(x, verbose=0)
    np.testing.assert_allclose(ours.predict(x, verbose=0), wanted, rtol=1e-4, atol=2e-5)


def test_several_in_a_row_and_in_a_sequential_model():
    def layers_of(api):
        return [
            api.Conv2D(4, 3), api.BatchNormalization(), api.ReLU(),
            api.DepthwiseConv2D(3), api.BatchNormalization(),
            api.Conv2D(5, 1), api.BatchNormalization(),
            api.Flatten(), api.Dense(6), api.BatchNormalization(), api.ReLU(), api.Dense(3),
        ]  # fmt: skip

    ours, theirs, x = pair(SHAPE, layers_of)
    assert text(ours, x).count("scaled_") == 4
    line = slipstream.Sequential([slipstream.Input(SHAPE), *layers_of(slipstream.layers)])
    line.set_weights(ours.get_weights())
    wanted = theirs.predict(x, verbose=0)
    for model in (ours, line):
        np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-4, atol=2e-5)
        assert text(model, x).count("scaled_") == 4


L = slipstream.layers


class Doubled(L.Conv2D):
    def call(self, inputs):
        return 2 * super().call(inputs)


class DoubledOutside(L.Conv2D):
    def __call__(self, inputs, **kwargs):
        return 2 * super().__call__(inputs, **kwargs)


class Unhashable:
    __hash__ = None

    def __eq__(self, other):
        raise AssertionError("nobody needs to ask")

    def __call__(self, x):
        return x + 1


APART = {
    "an activation between": [L.Conv2D(4, 3, activation="relu"), L.BatchNormalization()],
    "another axis": [L.Conv2D(4, 3), L.BatchNormalization(1)],
    "channels first": [L.Conv2D(4, 3, data_format="channels_first"), L.BatchNormalization(1)],
    "a penalty": [L.Conv2D(4, 3, activity_regularizer="l2"), L.BatchNormalization()],
    "half precision": [
        L.Conv2D(4, 3, dtype="mixed_bfloat16"),
        L.BatchNormalization(dtype="mixed_bfloat16"),
    ],
    "a call of one's own": [Doubled(4, 3), L.BatchNormalization()],
    "transposed": [L.Conv2DTranspose(4, 3), L.BatchNormalization()],
    "low rank": [L.Dense(4, lora_rank=2), L.BatchNormalization()],
}


@pytest.mark.parametrize("case", APART)
def test_what_does_not_fold_runs_layer_by_layer(case):
    layers = APART[case]
    model = stack(slipstream, SHAPE, *layers)
    x = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    assert "scaled_" not in text(model, x)
    wanted = x
    for layer in layers:
        wanted = layer(wanted)
    np.testing.assert_allclose(model.predict(x, verbose=0), wanted, rtol=1e-5, atol=1e-5)


def test_a_way_of_one_s_own_to_be_called_is_kept():
    layers = [DoubledOutside(4, 3), L.BatchNormalization()]
    model = slipstream.Sequential(layers)
    x = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype("float32")
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, layers[1](layers[0](x)), rtol=1e-5, atol=1e-5)


def test_any_activation_may_follow():
    ours, _, x = pair(SHAPE, lambda api: [api.Conv2D(4, 3), NORM["all"](api)])
    inputs = slipstream.Input(SHAPE)
    y = ours.layers[2](ours.layers[1](inputs))
    more = slipstream.Model(inputs, L.Activation(Unhashable())(y))
    assert "scaled_" in text(more, x)
    np.testing.assert_allclose(more.predict(x, verbose=0), ours.predict(x, verbose=0) + 1, 1e-5)


@pytest.mark.parametrize("shape", [(2, 9, 8, 5), (2, 9, 6), (2, 2, 8, 6)], ids=str)
def test_inputs_that_do_not_fit_are_refused_as_ever(shape):
    layers = [L.Conv2D(4, 3), L.BatchNormalization()]
    model = slipstream.Sequential([slipstream.Input((None, None, 6)), *layers])
    said = []
    for training in (False, None):  # folded, and layer by layer
        with pytest.raises(ValueError, match=layers[0].name) as found:
            text(model, np.ones(shape, "float32"), training)
        said.append(str(found.value).splitlines()[0])
    assert said[0] == said[1]


def test_sums_that_are_used_elsewhere_are_kept():
    inputs = slipstream.Input(SHAPE)
    sums = L.Conv2D(4, 3)(inputs)
    model = slipstream.Model(inputs, [L.BatchNormalization()(sums), sums])
    x = np.ones((2, *SHAPE), "float32")
    assert "scaled_" not in text(model, x)
    assert [y.shape for y in model.predict(x, verbose=0)] == [(2, 7, 6, 4)] * 2


def test_gradients_in_prediction_are_those_of_the_layers():
    ours, _, x = pair(
        SHAPE, lambda api: [api.Conv2D(4, 3), api.BatchNormalization(), api.ReLU(1.0)]
    )

    def total(x, run):
        with Scope(training=False).active():
            return (run(x) ** 2).sum()

    def one_by_one(x):
        for layer in ours.layers[1:]:
            x = layer(x)
        return x

    found, wanted = (jax.grad(total)(x, run) for run in (ours, one_by_one))
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_training_uses_the_batch():
    ours, theirs, x = pair(SHAPE, lambda api: [api.Conv2D(4, 3), api.BatchNormalization()])
    found = ours(x, training=True)
    np.testing.assert_allclose(found, theirs(x, training=True), rtol=1e-4, atol=1e-4)
    assert np.abs(found - ours.predict(x, verbose=0)).max() > 0.1
