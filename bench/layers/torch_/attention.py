"""Attention with PyTorch's fused kernel, its transformer block, and positions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding, scaled_dot_product_attention

from bench.layers.case import Case
from bench.layers.torch_.function import Function
from bench.layers.torch_.loading import linear, load


class SelfAttention(torch.nn.Module):
    """One product for queries, keys and values, the fused kernel, one product for the output."""

    def __init__(self, weights: list[np.ndarray], causal: bool) -> None:
        super().__init__()
        kernels, biases = weights[0:6:2], weights[1:6:2]
        self.heads = [kernel.shape[1] for kernel in kernels]
        self.size = kernels[0].shape[2]
        self.causal = causal
        self.enter = linear(
            np.concatenate([k.reshape(len(k), -1) for k in kernels], 1),
            np.concatenate([b.reshape(-1) for b in biases]),
        )
        self.leave = linear(weights[6].reshape(-1, weights[6].shape[-1]), weights[7])

    def forward(self, x: Any) -> Any:
        joint = self.enter(x).unflatten(-1, (-1, self.size)).transpose(1, 2)
        query, key, value = joint.split(self.heads, 1)
        grouped = self.heads[0] != self.heads[1]
        outputs = scaled_dot_product_attention(
            query, key, value, is_causal=self.causal, enable_gqa=grouped
        )
        return self.leave(outputs.transpose(1, 2).flatten(2))


def attention(query: Any, value: Any) -> Any:
    """Keras' `Attention`: one head, scores without a scale, the values as keys."""
    return scaled_dot_product_attention(query, value, value, scale=1.0)


class Additive(torch.nn.Module):
    """Scores are sums of ``scale * tanh(query + key)``."""

    def __init__(self, scale: np.ndarray) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.from_numpy(scale))

    def forward(self, query: Any, value: Any) -> Any:
        scores = torch.tanh(query[:, :, None] + value[:, None]) @ self.scale
        return scores.softmax(-1) @ value


def self_attention(case: Case) -> Any:
    return SelfAttention(case.weights, case.row.call.get("use_causal_mask", False))


def encoder(case: Case) -> Any:
    attention, (gamma1, beta1, *dense, gamma2, beta2) = case.weights[:8], case.weights[8:]
    hidden = case.row.shape[-1]
    flat = [k.reshape(hidden, -1).T for k in attention[0:6:2]]
    block = torch.nn.TransformerEncoderLayer(
        hidden,
        case.row.arguments["num_heads"],
        case.row.arguments["intermediate_dim"],
        dropout=0.0,
        activation=case.row.arguments.get("activation", "relu"),
        batch_first=True,
    )
    return load(
        block,
        **{
            "self_attn.in_proj_weight": np.concatenate(flat),
            "self_attn.in_proj_bias": np.concatenate([b.reshape(-1) for b in attention[1:6:2]]),
            "self_attn.out_proj.weight": attention[6].reshape(-1, hidden).T,
            "self_attn.out_proj.bias": attention[7],
            "norm1.weight": gamma1,
            "norm1.bias": beta1,
            "linear1.weight": dense[0].T,
            "linear1.bias": dense[1],
            "linear2.weight": dense[2].T,
            "linear2.bias": dense[3],
            "norm2.weight": gamma2,
            "norm2.bias": beta2,
        },
    )


class Decoder(torch.nn.Module):
    """The encoder's block under a causal mask."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.block = encoder(case)
        length = case.row.shape[1]
        self.mask = torch.nn.Transformer.generate_square_subsequent_mask(length)

    def forward(self, x: Any) -> Any:
        return self.block(x, src_mask=self.mask, is_causal=True)


class TokensAndPlaces(torch.nn.Module):
    """A vector of each token plus one of its place."""

    def __init__(self, tokens: np.ndarray, places: np.ndarray) -> None:
        super().__init__()
        self.tokens = torch.nn.Parameter(torch.from_numpy(tokens))
        self.places = torch.nn.Parameter(torch.from_numpy(places))

    def forward(self, ids: Any) -> Any:
        return embedding(ids, self.tokens) + self.places


def rotary(case: Case) -> Any:
    """Halves of the features turned against each other, by angles made before."""
    length, features = case.row.shape[1], case.row.shape[-1]
    rates = 10000.0 ** (-np.arange(0, features, 2) / features)
    angles = torch.tensor(np.arange(length)[:, None] * rates, dtype=torch.float32)[:, None]
    cosine, sine = angles.cos(), angles.sin()

    def turn(x: Any) -> Any:
        first, second = x.chunk(2, -1)
        turned = [first * cosine - second * sine, second * cosine + first * sine]
        return torch.cat(turned, -1)

    return Function(turn)


BUILDERS = {
    "Attention": lambda case: Function(attention),
    "AdditiveAttention": lambda case: Additive(*case.weights),
    "MultiHeadAttention": self_attention,
    "GroupQueryAttention": self_attention,
    "TransformerEncoder": encoder,
    "TransformerDecoder": Decoder,
    "TokenAndPositionEmbedding": lambda case: TokensAndPlaces(*case.weights),
    "RotaryEmbedding": rotary,
}
