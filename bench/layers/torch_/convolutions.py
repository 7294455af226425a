"""Convolutions, in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.layers.case import Case
from bench.layers.torch_.loading import load

CONVOLUTIONS = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}
_TRANSPOSED = {
    1: torch.nn.ConvTranspose1d,
    2: torch.nn.ConvTranspose2d,
    3: torch.nn.ConvTranspose3d,
}


def channels_out_first(kernel: np.ndarray) -> np.ndarray:
    """``(*places, inputs, outputs)`` as ``(outputs, inputs, *places)``."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def convolution(arguments: dict[str, Any], kernel: np.ndarray, bias: np.ndarray) -> Any:
    groups = arguments.get("groups", 1)
    layer = CONVOLUTIONS[kernel.ndim - 2](
        kernel.shape[-2] * groups,
        kernel.shape[-1],
        kernel.shape[:-2],
        stride=arguments.get("strides", 1),
        padding=arguments["padding"] if arguments["padding"] == "same" else 0,
        dilation=arguments.get("dilation_rate", 1),
        groups=groups,
    )
    return load(layer, weight=channels_out_first(kernel), bias=bias)


def transposed(case: Case) -> Any:
    kernel, bias = case.weights
    size, strides = kernel.shape[0], case.row.arguments["strides"]
    layer = _TRANSPOSED[kernel.ndim - 2](
        kernel.shape[-1], kernel.shape[-2], size, stride=strides, padding=(size - strides) // 2
    )
    return load(layer, weight=channels_out_first(kernel), bias=bias)


def by_channel(kernel: np.ndarray, bias: np.ndarray | None) -> Any:
    """A convolution of each channel by itself, ``(*places, channels, 1)``."""
    size, channels = kernel.shape[0], kernel.shape[-2]
    layer = CONVOLUTIONS[kernel.ndim - 2](
        channels, channels, size, padding="same", groups=channels, bias=bias is not None
    )
    weight = np.moveaxis(kernel, (-2, -1), (0, 1))
    return load(layer, weight=weight, **({} if bias is None else {"bias": bias}))


def separable(case: Case) -> Any:
    depthwise, pointwise, bias = case.weights
    mixing = CONVOLUTIONS[pointwise.ndim - 2](*pointwise.shape[-2:], 1)
    return torch.nn.Sequential(
        by_channel(depthwise, None),
        load(mixing, weight=channels_out_first(pointwise), bias=bias),
    )


class Spectral(torch.nn.Module):
    """A convolution whose kernel is divided by its largest singular value while training.

    `torch.nn.utils.parametrizations.spectral_norm` keeps another vector and divides in inference
    too, so it is Keras' way by hand: the kernel as a matrix ``(places and inputs, outputs)``.
    """

    def __init__(
        self, arguments: dict[str, Any], kernel: np.ndarray, vector: np.ndarray, bias: np.ndarray
    ) -> None:
        super().__init__()
        self.layer = convolution(arguments, kernel, bias)
        self.register_buffer("vector", torch.from_numpy(vector[0].copy()))

    def forward(self, x: Any) -> Any:
        weight = self.layer.weight
        if self.training:
            matrix = weight.flatten(1)  # a row for each output
            with torch.no_grad():
                across = torch.nn.functional.normalize(self.vector @ matrix, dim=0)
                self.vector.copy_(torch.nn.functional.normalize(matrix @ across, dim=0))
                vector = self.vector.clone()
            weight = weight / torch.dot(vector, matrix @ across)
        return self.layer._conv_forward(x, weight, self.layer.bias)


def plain(case: Case) -> Any:
    return convolution(case.row.arguments, *case.weights)


BUILDERS = {
    "Conv1D": plain,
    "Conv2D": plain,
    "Conv3D": plain,
    "Conv1DTranspose": transposed,
    "Conv2DTranspose": transposed,
    "Conv3DTranspose": transposed,
    "DepthwiseConv1D": lambda case: by_channel(*case.weights),
    "DepthwiseConv2D": lambda case: by_channel(*case.weights),
    "SeparableConv1D": separable,
    "SeparableConv2D": separable,
    "SpectralNormalization": lambda case: Spectral(case.row.wraps[0][1], *case.weights),
}
