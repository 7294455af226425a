"""Keras' layers, and one that Keras leaves to its users to put together."""

from __future__ import annotations

from typing import Any

import keras
from keras.layers import *  # noqa: F403


class TransformerEncoder(keras.layers.Layer):
    """Self-attention and a dense part, each with a residual, from Keras' own layers."""

    def __init__(self, num_heads: int, intermediate_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim

    def build(self, input_shape: Any) -> None:
        hidden = input_shape[-1]
        self.attention = keras.layers.MultiHeadAttention(self.num_heads, hidden // self.num_heads)
        self.attention.build(input_shape, input_shape)
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.attention_norm.build(input_shape)
        self.inner = keras.layers.Dense(self.intermediate_dim, activation="relu")
        self.inner.build(input_shape)
        self.outer = keras.layers.Dense(hidden)
        self.outer.build((*input_shape[:-1], self.intermediate_dim))
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.norm.build(input_shape)

    def call(self, inputs: Any) -> Any:
        x = self.attention_norm(inputs + self.attention(inputs, inputs))
        return self.norm(x + self.outer(self.inner(x)))
