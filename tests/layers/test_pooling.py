"""Pooling of every kind against Keras', and what it refuses."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import parity
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream import layers

FIRST = {"data_format": "channels_first"}
CASES = [
    ("MaxPooling1D", {}, (2, 5, 2)),
    ("MaxPooling1D", {"pool_size": 2, "strides": 3, "padding": "same"}, (2, 5, 2)),
    ("MaxPooling2D", {}, (2, 4, 4, 2)),
    ("MaxPooling2D", {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}, (2, 5, 4, 2)),
    ("MaxPooling2D", {"pool_size": 3, **FIRST}, (2, 2, 4, 7)),
    ("MaxPooling2D", {}, (0, 4, 4, 2)),
    ("MaxPooling3D", {"padding": "same"}, (2, 3, 1, 2, 2)),
    ("AveragePooling1D", {"pool_size": 3, "strides": 1, "padding": "same"}, (2, 4, 2)),
    ("AveragePooling2D", {"pool_size": (2, 3), "padding": "same"}, (2, 5, 4, 1)),
    ("AveragePooling2D", {"pool_size": (3, 1), "strides": (1, 2), **FIRST}, (2, 2, 4, 5)),
    ("AveragePooling3D", {"pool_size": 2}, (1, 2, 3, 4, 2)),
    ("GlobalMaxPooling1D", {}, (2, 3, 4)),
    ("GlobalMaxPooling2D", {"keepdims": True}, (2, 3, 1, 4)),
    ("GlobalMaxPooling3D", FIRST, (2, 2, 3, 1, 2)),
    ("GlobalAveragePooling1D", {"keepdims": True, **FIRST}, (2, 3, 4)),
    ("GlobalAveragePooling2D", {}, (0, 3, 2, 4)),
    ("GlobalAveragePooling3D", {"keepdims": True}, (1, 1, 3, 2, 2)),
    ("AdaptiveMaxPooling1D", {"output_size": 3}, (2, 7, 2)),
    ("AdaptiveMaxPooling2D", {"output_size": (2, 5)}, (2, 5, 3, 2)),
    ("AdaptiveMaxPooling3D", {"output_size": 2, **FIRST}, (1, 2, 3, 2, 4)),
    ("AdaptiveAveragePooling1D", {"output_size": 4}, (2, 4, 2)),
    ("AdaptiveAveragePooling2D", {"output_size": (3, 1), **FIRST}, (2, 2, 7, 5)),
    ("AdaptiveAveragePooling3D", {"output_size": (2, 3, 1)}, (1, 3, 2, 4, 2)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))

    def test_config(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES[:1] + CASES[8:9] + CASES[14::3])
def test_policies(name, arguments, shape):
    parity.check_policies(name, arguments, parity.data(shape))


@given(
    size=st.integers(1, 9),
    window=st.integers(1, 4),
    stride=st.integers(1, 4),
    same=st.booleans(),
)
def test_sizes_are_the_kernels_sizes(size, window, stride, same):
    layer = layers.MaxPooling1D(window, stride, "same" if same else "valid")
    if window > size and not same:
        with pytest.raises(ValueError, match="smaller than the window"):
            layer.compute_output_shape((1, size, 1))
    else:
        shape = jax.eval_shape(layer, jax.ShapeDtypeStruct((1, size, 1), "float32")).shape
        assert shape == layer.compute_output_shape((1, size, 1))


def test_a_mask_leaves_steps_out_of_the_mean(rng):
    x, mask = parity.data((3, 4, 2)), np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1]], bool)
    for arguments in ({}, {"keepdims": True}):
        ours = layers.GlobalAveragePooling1D(**arguments)(x, mask=mask)
        theirs = keras.layers.GlobalAveragePooling1D(**arguments)(x, mask=mask)
        parity.close(ours, theirs, 1e-6, 1e-6)
    moved = layers.GlobalAveragePooling1D("channels_first")(x.swapaxes(1, 2), mask=mask)
    parity.close(moved, ours[:, 0], 1e-6, 1e-6)
    assert layers.GlobalAveragePooling1D().compute_mask(x, mask) is None


def test_a_row_without_a_step_gives_zeros_and_finite_gradients():
    layer, mask = layers.GlobalAveragePooling1D(), np.zeros((1, 3), bool)
    x = np.full((1, 3, 2), np.nan, "f")
    np.testing.assert_array_equal(layer(x, mask=mask), np.zeros((1, 2)))
    slope = jax.grad(lambda x: jnp.sum(layer(x, mask=mask)))(jnp.ones((1, 3, 2)))
    np.testing.assert_array_equal(slope, np.zeros((1, 3, 2)))


def test_long_means_keep_their_precision_in_float16():
    x = np.full((1, 5000, 1), 100.0, "f")
    assert layers.GlobalAveragePooling1D(dtype="float16")(x)[0, 0] == 100
    assert layers.AveragePooling1D(2000, dtype="float16")(x)[0, 0, 0] == 100
    assert layers.AdaptiveAveragePooling1D(2, dtype="float16")(x)[0, 0, 0] == 100


@pytest.mark.parametrize("name", ["MaxPooling2D", "GlobalMaxPooling2D", "AdaptiveMaxPooling2D"])
def test_maxima_of_whole_numbers_stay_whole(name):
    x = np.random.default_rng(0).integers(-9, -1, (2, 4, 4, 3))
    arguments = {"output_size": 2} if name.startswith("Adaptive") else {}
    ours = getattr(layers, name)(**arguments)(x)
    theirs = getattr(keras.layers, name)(**arguments)(x)
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_aliases():
    for rank in "123":
        assert getattr(layers, f"MaxPool{rank}D") is getattr(layers, f"MaxPooling{rank}D")
        assert getattr(layers, f"AvgPool{rank}D") is getattr(layers, f"AveragePooling{rank}D")
        for what, short in (("Max", "Max"), ("Average", "Avg")):
            alias = getattr(layers, f"Global{short}Pool{rank}D")
            assert alias is getattr(layers, f"Global{what}Pooling{rank}D")


def ones(*shape):
    return np.ones(shape, "f")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MaxPooling1D(0), "pool_size must be a whole number"),
        (lambda: layers.AveragePooling2D((2, 2), strides=(1,)), r"strides must .* got \(1,\)"),
        (lambda: layers.MaxPooling1D(2, padding="causal"), "'valid' or 'same'; got 'causal'"),
        (lambda: layers.MaxPooling2D(5)(ones(1, 4, 6, 2)), r"\(4, 6\) is smaller"),
        (lambda: layers.MaxPooling2D(5)(layers.Input((4, 6, 2))), r"\(4, 6\) is smaller"),
        (lambda: layers.MaxPooling2D()(ones(1, 4, 2)), "4 axes"),
        (lambda: layers.GlobalMaxPooling1D()(ones(1, 0, 2)), "nothing to pool"),
        (lambda: layers.GlobalAveragePooling2D(data_format=1), "data_format"),
        (lambda: layers.AdaptiveMaxPooling2D((1, None)), r"output_size .* got \(1, None\)"),
        (lambda: layers.AdaptiveMaxPooling1D(2)(ones(1, 0, 2)), "cannot be pooled to size 2"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
