"""Layers, under Keras' names."""

from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import deserialize, serialize
from slipstream.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from slipstream.layers.dense import Dense
from slipstream.layers.input import Input, InputLayer
from slipstream.layers.preprocessing import Normalization, Rescaling
from slipstream.layers.regularization import Dropout
from slipstream.layers.reshaping import Flatten, Reshape

__all__ = [
    "ELU",
    "Activation",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "LeakyReLU",
    "Normalization",
    "PReLU",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Softmax",
    "deserialize",
    "serialize",
]
