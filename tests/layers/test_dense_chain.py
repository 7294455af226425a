"""Dense layers in a row run as one operation, and as they would by themselves."""

import jax
import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.core.scope import attach
from slipstream.layers import dense_chain
from slipstream.models import Model, Sequential


@pytest.fixture
def chains(monkeypatch):
    """Lengths of the chains that are called."""
    called = []
    original = dense_chain.dense_chain

    def noting(x, pairs, activations):
        called.append(len(pairs))
        return original(x, pairs, activations)

    monkeypatch.setattr(dense_chain, "dense_chain", noting)
    return called


def apart(monkeypatch):
    monkeypatch.setattr(dense_chain, "_is_plain", lambda layer: False)


def outputs(model, x):
    return np.asarray(jax.jit(lambda x: model.call(x))(x))


def stack(*more, width=6):
    return Sequential([layers.Input((width,)), *more])


class Own(layers.Dense):
    pass


def adapted():
    layer = layers.Dense(3)
    layer.build((None, 4))
    layer.enable_lora(2)
    return layer


def patched():
    layer = layers.Dense(3)
    layer.call = layer.call  # as those do who watch a layer
    return layer


@pytest.mark.parametrize(
    ("inner", "wanted"),
    [
        (lambda: [layers.Dense(4, "relu"), layers.Dense(3, "tanh")], [3]),
        (lambda: [layers.Dense(4, "sigmoid", use_bias=False), layers.Dense(3)], [3]),
        (lambda: [layers.Dense(4, "elu"), layers.Dense(3, "tanh")], [2]),
        (lambda: [layers.Dense(4, "relu"), layers.Dropout(0.5), layers.Dense(3)], [2]),
        (lambda: [layers.Dense(4), layers.Activation("relu"), layers.Dense(3, "tanh")], [3]),
        (lambda: [layers.Dense(4, "tanh"), layers.Activation("relu"), layers.Dense(3)], [2]),
        (lambda: [layers.Dense(4), layers.Activation("elu"), layers.Dense(3)], [2]),
        (lambda: [layers.Dense(4), Own(3)], []),
        (lambda: [layers.Dense(4), layers.Dense(3, activity_regularizer="l2")], []),
        (lambda: [layers.Dense(4), layers.Dense(3, dtype="bfloat16")], []),
        (lambda: [layers.Dense(4), adapted()], []),
        (lambda: [layers.Dense(4), patched()], []),
        (lambda: [layers.Dense(50_000), layers.Dense(4, "relu")], []),
    ],
)
def test_what_is_put_together(chains, monkeypatch, rng, inner, wanted):
    x = rng.normal(size=(5, 6)).astype("f")
    model = stack(*inner(), layers.Dense(2, "softmax"))
    found = outputs(model, x)
    assert [n for n in chains if n > 1] == wanted
    apart(monkeypatch)
    np.testing.assert_allclose(found, outputs(model, x), rtol=2e-5)


def test_more_axes_masks_and_many_rows_go_layer_by_layer(chains, rng):
    model = stack(layers.Dense(4, "relu"), layers.Dense(3))
    for shape in ((2, 5, 6), (100_000, 6)):
        outputs(model, rng.normal(size=shape).astype("f"))
    masked = jax.numpy.asarray(rng.normal(size=(5, 6)), "f")
    attach(masked, "mask", jax.numpy.ones(5, bool))
    model.call(masked)
    assert not chains


def test_a_graph_s_rows_are_put_together(chains, monkeypatch, rng):
    inputs = layers.Input((6,))
    shared = layers.Dense(5, "relu")(layers.Dense(4, "relu")(inputs))
    left = layers.Dense(3, "relu")(layers.Dense(7, "tanh")(shared))
    right = layers.Dense(3)(shared)
    model = Model(inputs, [layers.Add()([left, right]), left, shared])
    x = rng.normal(size=(9, 6)).astype("f")
    found = model.predict(x, verbose=0)
    assert chains == [2, 2]
    apart(monkeypatch)
    other = slipstream.models.clone_model(model)
    other.set_weights(model.get_weights())
    for one, two in zip(found, other.predict(x, verbose=0)):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", ["binary_crossentropy", "mse"])
@pytest.mark.parametrize("frozen", [False, True])
def test_training_is_the_same(monkeypatch, rng, loss, frozen):
    x, y = rng.normal(size=(90, 6)).astype("f"), rng.integers(0, 2, 90)

    def trained():
        slipstream.utils.set_random_seed(1)
        model = stack(
            layers.Dense(8, "relu", kernel_regularizer="l2", trainable=not frozen),
            layers.Dense(5, "tanh"),
            layers.Dense(1, "sigmoid"),
        )
        model.compile("adam", loss, metrics=["accuracy"])
        history = model.fit(x, y, epochs=5, batch_size=32, verbose=0).history
        return model.get_weights(), history["loss"]

    together, losses = trained()
    apart(monkeypatch)
    alone, other_losses = trained()
    for one, other in zip(together, alone):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(losses, other_losses, rtol=1e-5)


def test_errors_show_both_shapes(rng):
    model = stack(layers.Dense(4, "relu"), layers.Dense(3))
    with pytest.raises(ValueError, match=r"\(None, 6\).*\(5, 7\)"):
        model.predict(rng.normal(size=(5, 7)).astype("f"), verbose=0)
