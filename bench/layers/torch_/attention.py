"""Attention with PyTorch's fused kernel, and its transformer block."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention

from bench.layers.case import Case
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


def self_attention(case: Case) -> Any:
    return SelfAttention(case.weights, case.row.call.get("use_causal_mask", False))


def encoder(case: Case) -> Any:
    attention, (gamma1, beta1, *dense, gamma2, beta2) = case.weights[:8], case.weights[8:]
    hidden = case.inputs.shape[-1]
    flat = [k.reshape(hidden, -1).T for k in attention[0:6:2]]
    block = torch.nn.TransformerEncoderLayer(
        hidden,
        case.row.arguments["num_heads"],
        case.row.arguments["intermediate_dim"],
        dropout=0.0,
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


BUILDERS = {
    "MultiHeadAttention": self_attention,
    "GroupQueryAttention": self_attention,
    "TransformerEncoder": encoder,
}
