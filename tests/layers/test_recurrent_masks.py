"""Masked steps are skipped, wherever in a sequence they are."""

import keras
import numpy as np
import parity
import pytest

from slipstream import layers

# Rows masked nowhere, on the left, on the right, in the middle, at both ends, and everywhere.
MASK = np.array(
    [[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 0, 0, 0]], bool
)
X = parity.data((6, 4, 3))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("LSTM", {"return_sequences": True, "return_state": True}),
        ("LSTM", {"go_backwards": True, "zero_output_for_mask": True, "return_sequences": True}),
        ("GRU", {"return_state": True}),
        ("GRU", {"reset_after": False, "zero_output_for_mask": True}),
        ("SimpleRNN", {"return_sequences": True, "go_backwards": True}),
        ("SimpleRNN", {"unroll": True, "return_sequences": True}),
    ],
)
def test_values_and_gradients_are_keras(name, arguments):
    parity.check_values_and_gradients(name, {"units": 2, **arguments}, X, mask=MASK)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "SimpleRNN"])
def test_masked_steps_leave_no_trace(name):
    layer = getattr(layers, name)(2, return_state=True)
    for row, keep in zip(X[:5], MASK):
        given = layer(row[None], mask=keep[None])
        for a, b in zip(given, layer(row[keep][None])):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_row_masked_from_the_start_gives_its_initial_state():
    start = parity.data((6, 2), seed=3)
    ours, theirs = parity.pair("GRU", {"units": 2, "return_sequences": True}, X)
    outputs = ours(X, initial_state=start, mask=MASK)
    np.testing.assert_array_equal(outputs[5], np.repeat(start[5:], 4, 0))
    parity.close(outputs, theirs(X, initial_state=start, mask=MASK), 1e-4, 1e-5)


def test_convolutional_lstm_skips_masked_steps():
    layer = layers.ConvLSTM1D(2, 2)
    x = parity.data((2, 3, 4, 1))
    masked = layer(x, mask=np.array([[True, False, True]] * 2))
    np.testing.assert_allclose(masked, layer(x[:, ::2]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("state", [False, True])
def test_output_masks_are_keras(sequences, state):
    flags = {"return_sequences": sequences, "return_state": state}
    for name in ("LSTM", "GRU"):
        ours, theirs = getattr(layers, name)(2, **flags), getattr(keras.layers, name)(2, **flags)
        mine, other = ours.compute_mask(X, MASK), theirs.compute_mask(X, MASK)
        np.testing.assert_equal(mine, other)
        for mode in ("concat", None):
            pair = layers.Bidirectional(ours, mode), keras.layers.Bidirectional(theirs, mode)
            np.testing.assert_equal(*(layer.compute_mask(X, MASK) for layer in pair))


def test_a_mask_passes_through_layers_to_the_one_that_uses_it():
    x = np.where(MASK[:, :, None], X, 7).astype("f")
    ours = [layers.Masking(7.0), layers.LSTM(3, return_sequences=True)]
    theirs = [keras.layers.Masking(7.0), keras.layers.LSTM(3, return_sequences=True)]
    for stack, room in ((ours, layers), (theirs, keras.layers)):
        stack += [
            room.Bidirectional(room.GRU(2, return_sequences=True), merge_mode="mul"),
            room.TimeDistributed(room.Dense(2)),
            room.SimpleRNN(2),
        ]

    def run(stack):
        y = x
        for layer in stack:
            y = layer(y)
        return y

    run(ours), run(theirs)
    for mine, other in zip(ours, theirs):
        if other.weights:
            parity.share_weights(mine, other)
    np.testing.assert_allclose(run(ours), run(theirs), rtol=1e-4, atol=1e-5)


def test_masking_marks_steps_that_hold_nothing_but_its_value():
    x = np.array([[[2.0, 2.0], [2.0, 3.0], [0.0, 0.0]]], "f")
    layer = layers.Masking(2.0)
    np.testing.assert_array_equal(layer.compute_mask(x), [[False, True, True]])
    np.testing.assert_array_equal(layer(x), [[[0, 0], [2, 3], [0, 0]]])
    assert layers.Masking(1)(np.array([[[1, 2]]])).dtype == "int32"
