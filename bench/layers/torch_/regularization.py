"""Layers that draw."""

from __future__ import annotations

from typing import Any

import torch

from bench.layers.case import Case
from bench.layers.torch_.function import Function


def noise(case: Case) -> Any:
    size = case.row.arguments["stddev"]
    return Function(lambda x: x + torch.randn_like(x) * size)


BUILDERS = {
    "Dropout": lambda case: torch.nn.Dropout(case.row.arguments["rate"]),
    "SpatialDropout2D": lambda case: torch.nn.Dropout2d(case.row.arguments["rate"]),
    "AlphaDropout": lambda case: torch.nn.AlphaDropout(case.row.arguments["rate"]),
    "GaussianNoise": noise,
}
OF_IMAGES = {"SpatialDropout2D"}
