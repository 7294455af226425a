"""Layers on channels and places beside convolutions."""

from __future__ import annotations

from typing import Any

import torch

from bench.layers.case import Case
from bench.layers.torch_.function import Function
from bench.layers.torch_.loading import load


def max_pooling(kind: Any) -> Any:
    """A builder for a module of maxima."""

    def build(case: Case) -> Any:
        arguments = case.row.arguments
        return kind(arguments["pool_size"], arguments.get("strides"))

    return build


def of(kind: Any, argument: str) -> Any:
    """A builder for a module that takes one argument, by its name in Keras."""
    return lambda case: kind(case.row.arguments[argument])


def upsampling(case: Case) -> Any:
    mode = case.row.arguments.get("interpolation", "nearest")
    return torch.nn.Upsample(scale_factor=case.row.arguments["size"], mode=mode)


def cropping(case: Case) -> Any:
    """A copy of the middle, and no view, as the result of a compiled program is one."""
    margin = case.row.arguments["cropping"]
    return Function(lambda x: x[:, :, margin:-margin, margin:-margin].clone())


def batch_norm(case: Case) -> Any:
    gamma, beta, mean, variance = case.weights
    layer = torch.nn.BatchNorm2d(len(gamma), eps=1e-3, momentum=0.01)
    return load(layer, weight=gamma, bias=beta, running_mean=mean, running_var=variance)


def group_norm(case: Case) -> Any:
    gamma, beta = case.weights
    layer = torch.nn.GroupNorm(case.row.arguments["groups"], len(gamma), eps=1e-3)
    return load(layer, weight=gamma, bias=beta)


def slopes(case: Case) -> Any:
    (alpha,) = case.weights
    return load(torch.nn.PReLU(alpha.size), weight=alpha.reshape(-1))


BUILDERS = {
    "MaxPooling1D": max_pooling(torch.nn.MaxPool1d),
    "MaxPooling2D": max_pooling(torch.nn.MaxPool2d),
    "MaxPooling3D": max_pooling(torch.nn.MaxPool3d),
    "AveragePooling1D": of(torch.nn.AvgPool1d, "pool_size"),
    "AveragePooling2D": of(torch.nn.AvgPool2d, "pool_size"),
    "AveragePooling3D": of(torch.nn.AvgPool3d, "pool_size"),
    "GlobalAveragePooling2D": lambda case: Function(lambda x: x.mean((2, 3))),
    "GlobalMaxPooling2D": lambda case: Function(lambda x: x.amax((2, 3))),
    "AdaptiveAveragePooling2D": of(torch.nn.AdaptiveAvgPool2d, "output_size"),
    "AdaptiveMaxPooling2D": of(torch.nn.AdaptiveMaxPool2d, "output_size"),
    "UpSampling1D": upsampling,
    "UpSampling2D": upsampling,
    "UpSampling3D": upsampling,
    "ZeroPadding2D": of(torch.nn.ZeroPad2d, "padding"),
    "Cropping2D": cropping,
    "BatchNormalization": batch_norm,
    "GroupNormalization": group_norm,
    "PReLU": slopes,
}
