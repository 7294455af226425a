"""Files hold what Keras' files hold, survive a kill, and refuse what does not fit."""

import os

import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.core.files import atomic
from slipstream.models import Sequential, load_model

X = np.random.default_rng(0).normal(size=(50, 4)).astype("f")
Y = (X[:, :1] > 0).astype("f")


def network(library, optimizer="adam", dropout=0.2):
    model = library.Sequential(
        [
            library.Input((4,)),
            library.layers.Normalization(),
            library.layers.Dense(5, "relu", kernel_regularizer="l2"),
            library.layers.Dropout(dropout),
            library.layers.Dense(3, "tanh"),
            library.layers.PReLU(),
            library.layers.Dense(1, "sigmoid"),
        ]
    )
    model.layers[0].adapt(X)
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy", "AUC"])
    model.fit(X, Y, epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_keras_files_load_here_and_ours_load_there(optimizer, tmp_path):
    theirs = network(keras, optimizer, dropout=0.0)
    theirs.save(tmp_path / "theirs.keras")
    here = load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(here.predict(X), theirs.predict(X, verbose=0), atol=1e-5)
    here.save(tmp_path / "ours.keras")
    there = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(there.predict(X, verbose=0), here.predict(X), atol=1e-5)
    for a, b, c in zip(
        theirs.optimizer.variables, here.optimizer.variables, there.optimizer.variables
    ):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)
        np.testing.assert_allclose(a.numpy(), c.numpy(), rtol=1e-6)
    np.testing.assert_allclose(
        here.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"],
        there.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"],
        rtol=1e-5,
    )


def test_weights_files_both_ways(tmp_path):
    theirs = network(keras)
    theirs.save_weights(tmp_path / "a.weights.h5")
    ours = network(slipstream)
    ours.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)
    ours.fit(X, Y, verbose=0)
    ours.save_weights(tmp_path / "b.weights.h5")
    theirs.load_weights(tmp_path / "b.weights.h5")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)


def test_training_goes_on_where_the_saved_one_stood(tmp_path):
    model = network(slipstream, dropout=0.0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    settings = {"epochs": 2, "verbose": 0, "shuffle": False}
    assert again.fit(X, Y, **settings).history == model.fit(X, Y, **settings).history


def test_low_precision_weights_travel(tmp_path):
    model = Sequential([layers.Input((4,)), layers.Dense(3, dtype="bfloat16")])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    assert again.layers[0].kernel.dtype == "bfloat16"
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_users_layer_needs_to_be_registered_or_passed(tmp_path):
    class Twice(slipstream.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    Sequential([layers.Input((4,)), Twice()]).save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match=r"Twice.*register_serializable.*custom_objects"):
        load_model(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras", custom_objects={"Twice": Twice})
    np.testing.assert_array_equal(again.predict(X), 2 * X)


def test_a_subclassed_model_saves_its_weights(tmp_path):
    class Net(slipstream.Model):
        def __init__(self):
            super().__init__()
            self.inner = layers.Dense(3)
            self.blocks = [layers.Dense(3), layers.Dense(3)]

        def call(self, inputs):
            for block in self.blocks:
                inputs = block(self.inner(inputs) if block is self.blocks[0] else inputs)
            return inputs

    first, second = Net(), Net()
    first(X), second(X)
    first.save_weights(tmp_path / "n.weights.h5")
    second.load_weights(tmp_path / "n.weights.h5")
    np.testing.assert_array_equal(first.predict(X), second.predict(X))


def test_weights_of_other_shapes_are_refused_and_change_nothing(tmp_path):
    small = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(1)])
    large = Sequential([layers.Input((4,)), layers.Dense(3), layers.Dense(2)])
    small.save_weights(tmp_path / "s.weights.h5")
    before = large.get_weights()
    with pytest.raises(ValueError, match=r"shape \(3, 1\) there and \(3, 2\)"):
        large.load_weights(tmp_path / "s.weights.h5")
    for a, b in zip(before, large.get_weights()):
        np.testing.assert_array_equal(a, b)
    large.load_weights(tmp_path / "s.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(large.get_weights()[0], small.get_weights()[0])


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda d: load_model(d / "none.keras"), FileNotFoundError, "no file"),
        (lambda d: Sequential([layers.Dense(1)]).save(d / "m.keras"), ValueError, "not built"),
        (
            lambda d: Sequential([layers.Dense(1, input_dim=1)]).save(d / "m.h5"),
            ValueError,
            "must end in '.keras'",
        ),
        (
            lambda d: Sequential([layers.Dense(1)]).load_weights(d),
            ValueError,
            "not built",
        ),
    ],
)
def test_bad_use(run, error, message, tmp_path):
    with pytest.raises(error, match=message):
        run(tmp_path)


def test_overwrite_can_be_refused(tmp_path):
    model = Sequential([layers.Dense(1, input_dim=1)])
    model.save(tmp_path / "m.keras")
    with pytest.raises(FileExistsError):
        model.save(tmp_path / "m.keras", overwrite=False)


def test_a_finished_write_is_whole_at_every_moment(tmp_path):
    path = tmp_path / "m"
    for content in (b"1" * 10, b"2" * 1000):
        with atomic(path) as temporary:
            temporary.write_bytes(content)
        assert path.read_bytes() == content
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_safetensors_carry_weights_to_a_model_built_otherwise(tmp_path):
    def build(first):
        return Sequential([*first, layers.Dense(3), layers.PReLU(shared_axes=[1]), layers.Dense(2)])

    one, two = build([layers.Input((4,))]), build([])
    two(X[:1])
    scalar = layers.Input((4,))
    shifted = slipstream.Model(scalar, layers.Normalization(axis=None)(scalar))
    shifted.layers[-1].adapt(X)
    one.save_weights(tmp_path / "w.safetensors")
    two.load_weights(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(two.predict(X), one.predict(X))
    again = slipstream.Model(scalar, layers.Normalization(axis=None)(scalar))
    shifted.save_weights(tmp_path / "s.safetensors")
    again.load_weights(tmp_path / "s.safetensors")
    np.testing.assert_array_equal(again.predict(X), shifted.predict(X))
    with pytest.raises(ValueError, match="no weight"):
        one.load_weights(tmp_path / "s.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(ValueError, match="damaged"):
        one.load_weights(tmp_path / "w.safetensors")
