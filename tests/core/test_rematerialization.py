"""Layers that compute their inside again: the same training in less memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.core.scope import Scope
from slipstream.models import Sequential
from slipstream.utils import set_random_seed


def network(*more):
    return Sequential(
        [
            layers.Input((6,)),
            layers.Dense(16, activation="gelu", activity_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            *more,
            layers.Dense(3, activation="softmax"),
        ]
    )


@pytest.mark.parametrize(
    "arguments",
    [("full",), ("activations",), ("larger_than", 20), ("list_of_layers", 0, ["dense", "dropout"])],
)
def test_training_is_the_same(arguments):
    def run(scope):
        set_random_seed(0)
        slipstream.backend.clear_session()
        with scope:
            model = network()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        draw = np.random.default_rng(0)
        x, y = draw.normal(size=(50, 6)).astype("f"), draw.integers(0, 3, 50)
        history = model.fit(x, y, epochs=3, batch_size=16, verbose=0).history
        return history, model.get_weights()

    history, weights = run(slipstream.RematScope(*arguments))
    expected, wanted = run(slipstream.RematScope(None))
    for name, values in expected.items():
        np.testing.assert_allclose(history[name], values, rtol=1e-4)
    for ours, theirs in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


def kept(layer, x):
    """Elements that the gradient of a layer keeps from its value, weights and input aside."""
    layer(x)
    values = [jnp.asarray(v.value) for v in layer.trainable_variables]
    fixed = [jnp.asarray(v.value) for v in layer.non_trainable_variables]

    def call(values, x):
        with Scope(training=True).active():
            return layer.stateless_call(values, fixed, x, training=True)[0]

    _, back = jax.vjp(call, values, x)
    known = {(leaf.shape, leaf.dtype) for leaf in (*values, x)}
    found = [leaf for leaf in jax.tree.leaves(back) if isinstance(leaf, jax.Array)]
    return sum(leaf.size for leaf in found if (leaf.shape, leaf.dtype) not in known)


def test_full_keeps_nothing_from_inside_and_activations_keep_the_products():
    x = np.ones((8, 6), "f")

    def block():
        return Sequential([layers.Dense(50, activation="gelu"), layers.Dense(40, "gelu")])

    plain = kept(block(), x)
    with slipstream.RematScope("activations"):
        some = kept(block(), x)
    with slipstream.RematScope():
        with slipstream.RematScope(None):
            assert kept(block(), x) == plain
        least = kept(block(), x)
    assert least < some < plain
    with slipstream.RematScope("list_of_layers", layer_names=["other"]):
        assert kept(block(), x) == plain
    with slipstream.RematScope("larger_than", 1000):
        assert kept(block(), x) == plain


def test_masks_go_in_and_come_out():
    x = np.array([[1, 2, 0], [3, 0, 0]])
    outputs = []
    for mode in ("full", None):
        set_random_seed(0)
        slipstream.backend.clear_session()
        with slipstream.RematScope(mode):
            model = Sequential(
                [
                    layers.Input((None,)),
                    layers.Embedding(5, 4, mask_zero=True),
                    layers.Bidirectional(layers.LSTM(3, return_sequences=True)),
                    layers.LSTM(2),
                ]
            )
            outputs.append(model(x))
            outputs.append(model.predict(x, verbose=0))
    for each in outputs[1:]:
        np.testing.assert_allclose(each, outputs[0], rtol=1e-5)
    # A longer sequence takes another product, whose sums may round otherwise.
    longer = np.pad(x, [(0, 0), (0, 2)])
    np.testing.assert_allclose(model(longer), outputs[0], rtol=1e-5, atol=1e-9)


def test_a_layer_of_the_user_s_decides_by_itself():
    class Twice(layers.Layer):
        def call(self, inputs):
            return self.rematerialized_call(jnp.sin, inputs)(inputs) * 2

    with slipstream.RematScope():
        layer = Twice()
    x = jnp.arange(4.0)
    gradient = jax.grad(lambda x: layer.stateless_call([], [], x)[0].sum())(x)
    np.testing.assert_allclose(gradient, 2 * np.cos(x), rtol=1e-6)
