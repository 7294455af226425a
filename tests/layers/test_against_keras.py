"""Each layer gives Keras' values and gradients, and survives its own configuration."""

import keras
import numpy as np
import parity
import pytest

from slipstream import layers

CASES = [
    ("Dense", {"units": 3}, (4, 5)),
    ("Dense", {"units": 3, "activation": "tanh", "use_bias": False}, (4, 1, 5)),
    ("Dense", {"units": 1, "bias_initializer": "ones"}, (1, 1)),
    ("Dense", {"units": 2}, (0, 3)),
    ("Activation", {"activation": "gelu"}, (4, 5)),
    ("ReLU", {"max_value": 1.0, "negative_slope": 0.1, "threshold": 0.2}, (4, 5)),
    ("LeakyReLU", {"negative_slope": 0.2}, (4, 5)),
    ("PReLU", {"alpha_initializer": "ones", "shared_axes": [1]}, (2, 3, 4)),
    ("ELU", {"alpha": 0.5}, (4, 5)),
    ("Softmax", {}, (4, 5)),
    ("Softmax", {"axis": 1}, (2, 3, 4)),
    ("Softmax", {"axis": (1, 2)}, (2, 3, 4)),
    ("Flatten", {}, (2, 3, 4)),
    ("Flatten", {"data_format": "channels_first"}, (2, 3, 4, 5)),
    ("Flatten", {}, (3,)),
    ("Reshape", {"target_shape": (6, -1)}, (2, 3, 4)),
    ("Reshape", {"target_shape": (12,)}, (1, 3, 4)),
    ("Rescaling", {"scale": 0.5, "offset": [1.0, 2.0, 3.0]}, (2, 3)),
    ("Normalization", {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 1.0, 9.0]}, (2, 3)),
    ("Normalization", {"mean": 0.5, "variance": 4.0, "axis": None}, (2, 3)),
    ("Normalization", {"mean": 0.5, "variance": 4.0, "invert": True}, (2, 3, 2)),
    ("Dropout", {"rate": 0.5}, (3, 4)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, shape):
        if name != "Dropout":
            parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))

    def test_config(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))

    def test_policies(self, name, arguments, shape):
        parity.check_policies(name, arguments, parity.data(shape))


def test_dropout_keeps_the_expected_share_and_sum():
    layer, x = layers.Dropout(0.3), np.ones((100, 1000), "f")
    kept = np.asarray(layer(x, training=True))
    assert abs((kept > 0).mean() - 0.7) < 0.01
    np.testing.assert_allclose(kept[kept > 0], 1 / 0.7, rtol=1e-6)
    rows = np.asarray(layers.Dropout(0.5, noise_shape=(None, 1))(x, training=True))
    assert set(rows.sum(1).tolist()) == {0.0, 2000.0}


def test_normalization_adapts_as_in_keras_whole_or_in_batches(rng):
    data = (rng.normal(size=(50, 4, 3)) * [1, 10, 0.1] + [0, 1e4, 5]).astype("f")
    for axis in (-1, (1, 2), None):
        ours, theirs = layers.Normalization(axis=axis), keras.layers.Normalization(axis=axis)
        pieces = layers.Normalization(axis=axis)
        ours.adapt(data)
        theirs.adapt(data)
        pieces.adapt(iter(np.split(data, [7, 7, 30])))
        exact = data.astype("float64")
        axes = {-1: (0, 1), (1, 2): 0, None: None}[axis]
        for layer in (ours, pieces):
            np.testing.assert_allclose(layer.adapt_mean.numpy(), exact.mean(axes), rtol=1e-6)
            np.testing.assert_allclose(layer.adapt_variance.numpy(), exact.var(axes), rtol=1e-5)
        np.testing.assert_allclose(ours(data), theirs(data), rtol=1e-2, atol=2e-2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Dense(0), "units must be a whole number of at least 1; got 0"),
        (lambda: layers.Dense(2.5), "got 2.5"),
        (lambda: layers.Dense(2, activation="rellu"), "Did you mean 'relu'"),
        (lambda: layers.Dropout(1.5), "between 0 and 1; got 1.5"),
        (lambda: layers.Reshape((-1, -1)), "only one size may be -1"),
        (lambda: layers.Reshape((7,))(np.ones((2, 3), "f")), r"\(2, 3\).*\(7,\)"),
        (lambda: layers.Normalization(mean=1.0), "both mean and variance"),
        (lambda: layers.Normalization().adapt(np.ones((0, 3))), "got no data"),
        (lambda: layers.ReLU(max_value=-1.0), "at least 0"),
        (lambda: layers.LeakyReLU(-0.1), "at least 0"),
        (lambda: layers.Input(), "shape=… or batch_shape=…"),
        (lambda: layers.Dense(2)(layers.Input((None,))), "size of its input's last axis"),
        (lambda: layers.Dense(2, name="a/b"), "must not contain '/'"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
