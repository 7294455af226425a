"""Programs for `jax.export` hold plain forms: they run elsewhere, and at any number of rows."""

import jax
import numpy as np
import pytest
from jax import export

import slipstream
from slipstream import layers

MODELS = {
    "dense": ((5,), lambda: [layers.Dense(8, "gelu"), layers.Dense(8, "relu"), layers.Dense(3)]),
    "convolution": (
        (9, 9, 3),
        lambda: [
            layers.Conv2D(4, 3, activation="relu"),
            layers.DepthwiseConv2D(2),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(2, "softmax"),
        ],
    ),
    "recurrent": ((6, 3), lambda: [layers.Permute((2, 1)), layers.LSTM(8), layers.Dense(2)]),
    "attention": ((6, 8), lambda: [layers.TransformerEncoder(16, 2), layers.Activation("silu")]),
}


@pytest.mark.parametrize("rows", ["b", 3])
@pytest.mark.parametrize("name", MODELS)
def test_models_are_exported_and_give_the_same(name, rows, rng):
    shape, make = MODELS[name]
    model = slipstream.Sequential([slipstream.Input(shape), *make()])
    if rows == "b":
        (rows,) = export.symbolic_shape("b")
    spec = jax.ShapeDtypeStruct((rows, *shape), "float32")
    exported = export.export(jax.jit(lambda x: model(x)))(spec)
    x = rng.normal(size=(3, *shape)).astype("float32")
    np.testing.assert_allclose(exported.call(x), model(x), atol=1e-4)
    assert "slipstream_" not in exported.mlir_module()


def test_a_program_for_a_gpu_is_exported_without_one():
    model = slipstream.Sequential([slipstream.Input((6, 3)), layers.LSTM(8), layers.Dense(2)])
    spec = jax.ShapeDtypeStruct((3, 6, 3), "float32")
    exported = export.export(jax.jit(lambda x: model(x)), platforms=("cuda", "cpu"))(spec)
    x = np.ones((3, 6, 3), "float32")
    np.testing.assert_allclose(exported.call(x), model(x), atol=1e-5)
