"""Dense layers, embedding, normalization of features, and activations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import normalize

from bench.layers.case import Case
from bench.layers.torch_.function import Function
from bench.layers.torch_.loading import linear, load


def dense(case: Case) -> Any:
    layer = linear(*case.weights)
    if case.row.arguments.get("activation") == "relu":
        return torch.nn.Sequential(layer, torch.nn.ReLU())
    return layer


class Heads(torch.nn.Module):
    """``btf,fhd->bthd`` as one product, which is quicker than `torch.einsum`."""

    def __init__(self, kernel: np.ndarray, bias: np.ndarray) -> None:
        super().__init__()
        self.shape = kernel.shape[1:]
        self.linear = linear(kernel.reshape(len(kernel), -1), bias.reshape(-1))

    def forward(self, x: Any) -> Any:
        return self.linear(x).unflatten(-1, self.shape)


def embedding(case: Case) -> Any:
    (table,) = case.weights
    return load(torch.nn.Embedding(*table.shape), weight=table)


def layer_norm(case: Case) -> Any:
    gamma, beta = case.weights
    return load(torch.nn.LayerNorm(gamma.shape, eps=1e-3), weight=gamma, bias=beta)


def rms_norm(case: Case) -> Any:
    (scale,) = case.weights
    return load(torch.nn.RMSNorm(scale.shape, eps=1e-6), weight=scale)


ACTIVATIONS = {
    "gelu": torch.nn.GELU,
    "sigmoid": torch.nn.Sigmoid,
    "tanh": torch.nn.Tanh,
    "silu": torch.nn.SiLU,
    "softplus": torch.nn.Softplus,
    "mish": torch.nn.Mish,
    "elu": torch.nn.ELU,
}
BUILDERS = {
    "Dense": dense,
    "EinsumDense": lambda case: Heads(*case.weights),
    "Embedding": embedding,
    "LayerNormalization": layer_norm,
    "RMSNormalization": rms_norm,
    "UnitNormalization": lambda case: Function(lambda x: normalize(x, dim=-1)),
    "Softmax": lambda case: torch.nn.Softmax(-1),
    "LeakyReLU": lambda case: torch.nn.LeakyReLU(case.row.arguments["negative_slope"]),
    "Activation": lambda case: ACTIVATIONS[case.row.arguments["activation"]](),
}
