"""Recurrent layers give Keras' values and gradients, and survive their own configuration."""

import parity
import pytest

X = (3, 4, 5)
GATED = {"units": 2, "bias_initializer": "ones"}
CASES = [
    ("SimpleRNN", {"units": 2}, X),
    ("SimpleRNN", {"units": 1, "activation": "relu", "use_bias": False, "unroll": True}, (1, 1, 1)),
    ("SimpleRNN", {"units": 2, "return_sequences": True, "go_backwards": True}, X),
    ("LSTM", {"units": 2}, X),
    ("LSTM", {"units": 3, "return_sequences": True, "return_state": True}, X),
    ("LSTM", {"units": 2, "go_backwards": True, "unit_forget_bias": False, "unroll": True}, X),
    ("LSTM", {**GATED, "activation": "relu", "recurrent_activation": "hard_sigmoid"}, (2, 1, 3)),
    ("LSTM", {"units": 2, "use_bias": False, "return_state": True, "go_backwards": True}, X),
    ("LSTM", {"units": 2, "return_sequences": True}, (0, 3, 2)),
    ("GRU", {"units": 2, "return_sequences": True}, X),
    ("GRU", {"units": 2, "reset_after": False, "return_state": True}, X),
    ("GRU", {**GATED, "use_bias": False, "go_backwards": True, "return_sequences": True}, X),
    ("GRU", {"units": 2, "reset_after": False, "use_bias": False, "activation": "elu"}, (2, 1, 1)),
    ("ConvLSTM1D", {"filters": 2, "kernel_size": 2, "dilation_rate": 2}, (2, 3, 4, 2)),
    (
        "ConvLSTM2D",
        {
            "filters": 1,
            "kernel_size": (2, 3),
            "strides": 3,
            "padding": "same",
            "return_sequences": True,
            "return_state": True,
            "use_bias": False,
        },
        (2, 3, 7, 4, 1),
    ),
    ("ConvLSTM3D", {"filters": 1, "kernel_size": 2, "go_backwards": True}, (1, 2, 3, 2, 2, 2)),
    ("Masking", {"mask_value": 1.5}, X),
]


# One case of each layer, the one with the most arguments.
RICHEST = [
    max((case for case in CASES if case[0] == name), key=lambda case: len(case[1]))
    for name in dict.fromkeys(case[0] for case in CASES)
]


def name_of(case):
    return f"{case[0]}-{'-'.join(map(str, case[1]))}"


@pytest.mark.parametrize(("name", "arguments", "shape"), CASES, ids=map(name_of, CASES))
class TestEveryCase:
    def test_values_and_gradients(self, name, arguments, shape):
        parity.check_values_and_gradients(name, arguments, parity.data(shape))

    def test_shapes(self, name, arguments, shape):
        parity.check_shapes(name, arguments, parity.data(shape))


@pytest.mark.parametrize(("name", "arguments", "shape"), RICHEST, ids=map(name_of, RICHEST))
class TestEveryLayer:
    def test_config(self, name, arguments, shape):
        parity.check_config(name, arguments, parity.data(shape))

    def test_policies(self, name, arguments, shape):
        if name not in ("ConvLSTM2D", "ConvLSTM3D"):
            parity.check_policies(name, arguments, parity.data(shape))
