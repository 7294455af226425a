"""Several inputs into one, and numbers moved.

What PyTorch gives as a view is copied, as the result of a compiled program is an array of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.layers.case import Case
from bench.layers.torch_.function import Function
from bench.layers.torch_.loading import linear


def average(*inputs: Any) -> Any:
    total = inputs[0]
    for each in inputs[1:]:
        total = total + each
    return total / len(inputs)


class Gated(torch.nn.Module):
    """The gated multimodal unit: a softmax over the inputs for each feature."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        super().__init__()
        pairs = [linear(*weights[i : i + 2]) for i in range(0, len(weights), 2)]
        self.gates = pairs.pop()
        self.projections = torch.nn.ModuleList(pairs)

    def forward(self, *inputs: Any) -> Any:
        values = torch.stack([layer(x) for layer, x in zip(self.projections, inputs)], -2).tanh()
        gates = self.gates(torch.cat(inputs, -1)).view_as(values).softmax(-2)
        return (gates * values).sum(-2)


class LowRank(torch.nn.Module):
    """Products of projections, averaged over the rank."""

    def __init__(self, bias: np.ndarray, *factors: np.ndarray) -> None:
        super().__init__()
        self.bias = torch.nn.Parameter(torch.from_numpy(bias))
        pairs = zip(factors[::2], factors[1::2])
        self.factors = torch.nn.ModuleList([linear(*pair) for pair in pairs])

    def forward(self, *inputs: Any) -> Any:
        first, *others = [layer(x) for layer, x in zip(self.factors, inputs)]
        for each in others:
            first = first * each
        return first.unflatten(-1, (-1, len(self.bias))).mean(-2) + self.bias


def repeat(case: Case) -> Any:
    times = case.row.arguments["n"]
    return Function(lambda x: x[:, None].expand(-1, times, -1).contiguous())


BUILDERS = {
    "Add": lambda case: Function(torch.add),
    "Multiply": lambda case: Function(torch.mul),
    "Average": lambda case: Function(average),
    "Maximum": lambda case: Function(torch.maximum),
    "Concatenate": lambda case: Function(lambda *inputs: torch.cat(inputs, -1)),
    "Dot": lambda case: Function(lambda x, y: torch.bmm(x, y.transpose(1, 2))),
    "GatedFusion": lambda case: Gated(case.weights),
    "LowRankFusion": lambda case: LowRank(*case.weights),
    "Permute": lambda case: Function(lambda x: x.transpose(1, 2).contiguous()),
    "RepeatVector": repeat,
}
