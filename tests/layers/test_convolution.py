"""Convolutions of every kind against Keras', and what they refuse."""

import keras
import numpy as np
import parity
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream import layers

FIRST = {"data_format": "channels_first"}
CONV = [
    ("Conv1D", {"filters": 3, "kernel_size": 2}, (2, 5, 2)),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal", "strides": 2}, (2, 5, 2)),
    ("Conv1D", {"filters": 2, "kernel_size": 2, "padding": "causal", **FIRST}, (2, 3, 5)),
    ("Conv1D", {"filters": 2, "kernel_size": 3, "padding": "same", "dilation_rate": 2}, (1, 4, 1)),
    ("Conv1D", {"filters": 2, "kernel_size": 2, "strides": 3}, (0, 5, 2)),
    (
        "Conv2D",
        {
            "filters": 4,
            "kernel_size": (2, 3),
            "strides": (2, 1),
            "padding": "SAME",
            "activation": "tanh",
            "groups": 2,
            "bias_initializer": "ones",
        },
        (2, 5, 4, 4),
    ),
    ("Conv2D", {"filters": 1, "kernel_size": 1, "strides": 2, "use_bias": False}, (2, 3, 4, 1)),
    ("Conv2D", {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 1), **FIRST}, (2, 3, 4, 2)),
    ("Conv2D", {"filters": 4, "kernel_size": 2, "groups": 4, **FIRST}, (2, 4, 3, 2)),
    ("Conv3D", {"filters": 2, "kernel_size": (1, 2, 2), "padding": "same"}, (1, 2, 3, 2, 2)),
]
TRANSPOSED = [
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 3, "strides": 2}, (2, 3, 2)),
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}, (0, 3, 2)),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": (3, 2), "strides": 2, "padding": "same"},
        (2, 2, 3, 3),
    ),
    (
        "Conv2DTranspose",
        {
            "filters": 2,
            "kernel_size": 4,
            "strides": 3,
            "padding": "same",
            "output_padding": (2, 1),
            **FIRST,
        },
        (1, 3, 2, 1),
    ),
    ("Conv2DTranspose", {"filters": 1, "kernel_size": 2, "dilation_rate": 2}, (1, 1, 3, 2)),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2, "strides": (1, 2, 2), "activation": "relu"},
        (1, 2, 1, 2, 2),
    ),
]
SPLIT = [
    ("DepthwiseConv1D", {"kernel_size": 2, "depth_multiplier": 2}, (2, 4, 3)),
    (
        "DepthwiseConv2D",
        {"kernel_size": (3, 2), "strides": 2, "padding": "same", "depth_multiplier": 2},
        (2, 4, 5, 3),
    ),
    ("DepthwiseConv2D", {"kernel_size": 2, "strides": 2, "dilation_rate": 2}, (1, 5, 5, 2)),
    ("DepthwiseConv2D", {"kernel_size": 2, "use_bias": False, **FIRST}, (2, 1, 3, 3)),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 2, "strides": 2}, (2, 5, 2)),
    (
        "SeparableConv2D",
        {
            "filters": 3,
            "kernel_size": 2,
            "padding": "same",
            "depth_multiplier": 2,
            "activation": "relu",
        },
        (2, 3, 3, 2),
    ),
    ("SeparableConv2D", {"filters": 2, "kernel_size": 2, **FIRST}, (1, 2, 3, 3)),
]
CASES = CONV + TRANSPOSED + SPLIT


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES)
class TestEveryLayer:
    def test_values_and_gradients(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))
        theirs = getattr(keras.layers, name)(**arguments)
        ours = getattr(layers, name)(**arguments)
        if shape[0]:
            assert ours.compute_output_shape(shape) == tuple(theirs.compute_output_shape(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), [CASES[5], CASES[13], *SPLIT[:5:4]])
class TestEachKind:
    def test_config(self, name, arguments, shape):
        regularized = {
            **arguments,
            "bias_regularizer": "l2",
            "activity_regularizer": "l2",
            "bias_constraint": "non_neg",
        }
        parity.check_config(name, regularized, parity.data(shape))

    def test_policies(self, name, arguments, shape):
        parity.check_policies(name, arguments, parity.data(shape))


def test_unknown_sizes_stay_unknown_and_names_have_aliases():
    symbol = layers.Conv2D(3, 3, strides=2)(layers.Input((None, 7, 2)))
    assert symbol.shape == (None, None, 3, 3)
    symbol = layers.Conv1DTranspose(3, 3, strides=2)(layers.Input((None, 2)))
    assert symbol.shape == (None, None, 3)
    for ours in ("Conv1D", "Conv2D", "Conv3D", "SeparableConv1D", "SeparableConv2D"):
        assert getattr(layers, ours.replace("Conv", "Convolution")) is getattr(layers, ours)
    for rank in "123":
        alias = getattr(layers, f"Convolution{rank}DTranspose")
        assert alias is getattr(layers, f"Conv{rank}DTranspose")


def test_whole_numbers_are_convolved_as_floats():
    x = np.arange(24).reshape(1, 4, 3, 2)
    ours, theirs = parity.pair("Conv2D", {"filters": 2, "kernel_size": 2}, x)
    parity.close(ours(x), theirs(x), 1e-5, 1e-5)


def test_a_causal_filter_sees_no_later_step():
    layer, x = layers.Conv1D(2, 3, padding="causal", dilation_rate=2), parity.data((1, 8, 2))
    before = np.asarray(layer(x))
    x[:, 5:] += 1
    after = np.asarray(layer(x))
    np.testing.assert_array_equal(before[:, :5], after[:, :5])
    assert (before[:, 5:] != after[:, 5:]).all()


@given(
    size=st.integers(1, 6),
    window=st.integers(1, 5),
    stride=st.integers(1, 4),
    dilation=st.integers(1, 2),
    same=st.booleans(),
    extra=st.none() | st.integers(0, 3),
)
def test_transposed_sizes_are_keras_sizes(size, window, stride, dilation, same, extra):
    if (stride > 1 and dilation > 1) or (extra is not None and extra >= stride):
        return
    arguments = {
        "filters": 1,
        "kernel_size": window,
        "strides": stride,
        "padding": "same" if same else "valid",
        "dilation_rate": dilation,
        "output_padding": extra,
    }
    theirs = keras.layers.Conv1DTranspose(**arguments)
    wanted = tuple(theirs.compute_output_shape((2, size, 1)))
    layer = layers.Conv1DTranspose(**arguments)
    if wanted[1] < 1:
        with pytest.raises(ValueError, match="would have size"):
            layer.compute_output_shape((2, size, 1))
    else:
        assert layer.compute_output_shape((2, size, 1)) == wanted


class TestLora:
    def test_values_gradients_and_config_are_keras(self):
        arguments = {"filters": 4, "kernel_size": 2, "groups": 2, "lora_rank": 2, "lora_alpha": 3}
        x = parity.data((2, 3, 3, 4))
        parity.check_values_and_gradients("Conv2D", arguments, x)
        parity.check_config("Conv2D", arguments, x)

    def test_it_starts_from_the_same_function_and_trains_two_small_matrices(self):
        layer, x = layers.Conv1D(3, 2), parity.data((2, 4, 2))
        before = np.asarray(layer(x))
        layer.enable_lora(1)
        np.testing.assert_array_equal(layer(x), before)
        names = [v.name for v in layer.trainable_variables]
        assert names == ["bias", "lora_kernel_a", "lora_kernel_b"]
        with pytest.raises(ValueError, match="adapted already"):
            layer.enable_lora(1)


def ones(*shape):
    return np.ones(shape, "f")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Conv2D(0, 1), "filters must be a whole number of at least 1; got 0"),
        (lambda: layers.Conv2D(2.5, 1), "got 2.5"),
        (lambda: layers.Conv2D(2, 0), "kernel_size must be a whole number of at least 1, or 2"),
        (lambda: layers.Conv2D(2, (1, 2, 3)), r"got \(1, 2, 3\)"),
        (lambda: layers.Conv2D(2, None), "kernel_size .* got None"),
        (lambda: layers.Conv2D(2, 1, strides=-1), "strides must be"),
        (lambda: layers.Conv2D(2, 1, strides=(1, True)), "strides must be"),
        (lambda: layers.Conv2D(2, 1, padding="causal"), "'valid' or 'same'; got 'causal'"),
        (lambda: layers.Conv1D(2, 1, padding="full"), "'valid' or 'same' or 'causal'"),
        (lambda: layers.Conv1D(2, 1, data_format="first"), "data_format must be .* got 'first'"),
        (lambda: layers.Conv2D(2, 2, 2, dilation_rate=2), "cannot both exceed 1"),
        (lambda: layers.Conv2DTranspose(2, 2, 2, dilation_rate=2), "cannot both exceed 1"),
        (lambda: layers.Conv2D(3, 2, groups=2), "groups must divide filters"),
        (lambda: layers.Conv2D(4, 2, groups=0), "groups must be a whole number"),
        (lambda: layers.Conv2D(4, 2, groups=2)(ones(1, 4, 4, 3)), "got 3 channels"),
        (lambda: layers.Conv2D(2, 5)(ones(1, 6, 4, 3)), r"\(6, 4\) is smaller than .* \(5, 5\)"),
        (lambda: layers.Conv1D(2, 3, dilation_rate=2)(ones(1, 4, 3)), r"dilation \(2,\)"),
        (lambda: layers.Conv2D(2, 5)(layers.Input((4, None, 3))), r"\(4, None\) is smaller"),
        (lambda: layers.Conv2D(2, 2)(ones(1, 4, 3)), "wants an input with 4 axes"),
        (lambda: layers.Conv2D(2, 2)(layers.Input((4, 4, None))), "number of channels"),
        (lambda: layers.DepthwiseConv2D(2, depth_multiplier=0), "depth_multiplier must be"),
        (lambda: layers.DepthwiseConv1D(2, padding="causal"), "got 'causal'"),
        (lambda: layers.Conv1DTranspose(1, 2, 2, output_padding=2), "less than the stride"),
        (lambda: layers.Conv1DTranspose(1, 2, output_padding=(0, 0)), "output_padding must"),
        (
            lambda: layers.Conv1DTranspose(1, 4, 2, "same", 0)(ones(1, 1, 1)),
            r"would have size \(1,\)|would have size \(0,\)",
        ),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_other_channels_than_it_was_built_for():
    layer = layers.Conv2D(2, 2)
    layer(ones(1, 4, 4, 3))
    with pytest.raises(ValueError, match="size 3 on axis -1"):
        layer(ones(1, 4, 4, 2))
