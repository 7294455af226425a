"""Keras' layers, and those that Keras leaves to its users to put together."""

from __future__ import annotations

from typing import Any

import keras
from keras.layers import *  # noqa: F403

from bench.layers.cells import MinimalGate


class TransformerEncoder(keras.layers.Layer):
    """Self-attention and a dense part, each with a residual, from Keras' own layers."""

    causal = False

    def __init__(self, num_heads: int, intermediate_dim: int, activation: str = "relu") -> None:
        super().__init__()
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.activation = activation

    def build(self, input_shape: Any) -> None:
        hidden = input_shape[-1]
        self.attention = keras.layers.MultiHeadAttention(self.num_heads, hidden // self.num_heads)
        self.attention.build(input_shape, input_shape)
        self.attention_norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.attention_norm.build(input_shape)
        self.inner = keras.layers.Dense(self.intermediate_dim, activation=self.activation)
        self.inner.build(input_shape)
        self.outer = keras.layers.Dense(hidden)
        self.outer.build((*input_shape[:-1], self.intermediate_dim))
        self.norm = keras.layers.LayerNormalization(epsilon=1e-5)
        self.norm.build(input_shape)

    def call(self, inputs: Any) -> Any:
        attended = self.attention(inputs, inputs, use_causal_mask=self.causal)
        x = self.attention_norm(inputs + attended)
        return self.norm(x + self.outer(self.inner(x)))


class TransformerDecoder(TransformerEncoder):
    """The same block, in which a place sees none after it."""

    causal = True


class TokenAndPositionEmbedding(keras.layers.Layer):
    """A vector of each token plus one of its place."""

    def __init__(self, vocabulary_size: int, sequence_length: int, embedding_dim: int) -> None:
        super().__init__()
        self.length = sequence_length
        self.tokens = keras.layers.Embedding(vocabulary_size, embedding_dim)
        self.places = keras.layers.Embedding(sequence_length, embedding_dim)

    def build(self, input_shape: Any) -> None:
        self.tokens.build(input_shape)
        self.places.build((self.length,))

    def call(self, inputs: Any) -> Any:
        return self.tokens(inputs) + self.places(keras.ops.arange(self.length))


class MinimalCell(MinimalGate, keras.layers.Layer):
    """The cell in Keras."""

    ops = keras.ops
