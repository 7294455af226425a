"""Layers on channels and places: convolutions, pooling, resampling and their normalizations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from bench.layers.case import Case
from bench.layers.torch_.loading import load

CONVOLUTIONS = {1: torch.nn.Conv1d, 2: torch.nn.Conv2d, 3: torch.nn.Conv3d}


def channels_out_first(kernel: np.ndarray) -> np.ndarray:
    """``(*places, inputs, outputs)`` as ``(outputs, inputs, *places)``."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def convolution(case: Case) -> Any:
    kernel, bias = case.weights
    arguments = case.row.arguments
    layer = CONVOLUTIONS[kernel.ndim - 2](
        case.inputs.shape[-1],
        kernel.shape[-1],
        kernel.shape[:-2],
        stride=arguments.get("strides", 1),
        padding=arguments["padding"] if arguments["padding"] == "same" else 0,
        dilation=arguments.get("dilation_rate", 1),
        groups=arguments.get("groups", 1),
    )
    return load(layer, weight=channels_out_first(kernel), bias=bias)


def transposed(case: Case) -> Any:
    kernel, bias = case.weights
    size, strides = kernel.shape[0], case.row.arguments["strides"]
    layer = torch.nn.ConvTranspose2d(
        *kernel.shape[:1:-1], size, stride=strides, padding=(size - strides) // 2
    )
    return load(layer, weight=channels_out_first(kernel), bias=bias)


def by_channel(kernel: np.ndarray, bias: np.ndarray | None) -> Any:
    """A convolution of each channel by itself, ``(*places, channels, 1)``."""
    size, channels = kernel.shape[0], kernel.shape[2]
    layer = torch.nn.Conv2d(
        channels, channels, size, padding="same", groups=channels, bias=bias is not None
    )
    weight = np.moveaxis(kernel, (-2, -1), (0, 1))
    return load(layer, weight=weight, **({} if bias is None else {"bias": bias}))


def separable(case: Case) -> Any:
    depthwise, pointwise, bias = case.weights
    mixing = torch.nn.Conv2d(*pointwise.shape[2:], 1)
    return torch.nn.Sequential(
        by_channel(depthwise, None),
        load(mixing, weight=channels_out_first(pointwise), bias=bias),
    )


def max_pooling(case: Case) -> Any:
    arguments = case.row.arguments
    return torch.nn.MaxPool2d(arguments["pool_size"], arguments.get("strides"))


class Mean(torch.nn.Module):
    """Mean over the places."""

    def forward(self, x: Any) -> Any:
        return x.mean((2, 3))


def upsampling(case: Case) -> Any:
    mode = case.row.arguments.get("interpolation", "nearest")
    return torch.nn.Upsample(scale_factor=case.row.arguments["size"], mode=mode)


def batch_norm(case: Case) -> Any:
    gamma, beta, mean, variance = case.weights
    layer = torch.nn.BatchNorm2d(len(gamma), eps=1e-3, momentum=0.01)
    return load(layer, weight=gamma, bias=beta, running_mean=mean, running_var=variance)


def group_norm(case: Case) -> Any:
    gamma, beta = case.weights
    layer = torch.nn.GroupNorm(case.row.arguments["groups"], len(gamma), eps=1e-3)
    return load(layer, weight=gamma, bias=beta)


BUILDERS = {
    "Conv1D": convolution,
    "Conv2D": convolution,
    "Conv3D": convolution,
    "Conv2DTranspose": transposed,
    "DepthwiseConv2D": lambda case: by_channel(*case.weights),
    "SeparableConv2D": separable,
    "MaxPooling2D": max_pooling,
    "AveragePooling2D": lambda case: torch.nn.AvgPool2d(case.row.arguments["pool_size"]),
    "GlobalAveragePooling2D": lambda case: Mean(),
    "UpSampling2D": upsampling,
    "ZeroPadding2D": lambda case: torch.nn.ZeroPad2d(case.row.arguments["padding"]),
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
}
