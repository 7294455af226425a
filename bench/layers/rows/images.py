"""Layers on channels and places: convolutions, pooling, resampling, cropping, normalization."""

from __future__ import annotations

from typing import Any

from bench.layers.rows.row import Row


def convolution(filters: int, kernel: int, **arguments: Any) -> dict[str, Any]:
    """Arguments of a convolution, which pads unless it is told not to."""
    return {"filters": filters, "kernel_size": kernel, "padding": "same", **arguments}


_SIGNALS, _VOLUMES = (32, 128, 64), (4, 16, 16, 16, 16)
_IMAGES, _WIDE, _SMALL = (32, 32, 32, 32), (32, 32, 32, 64), (32, 16, 16, 64)

ROWS = [
    Row("Conv1D", "3, 64→128", _SIGNALS, convolution(128, 3)),
    Row("Conv2D", "3×3, 32→64", _IMAGES, convolution(64, 3)),
    Row("Conv2D", "3×3, 32→64, stride 2", _IMAGES, convolution(64, 3, strides=2, padding="valid")),
    Row("Conv2D", "3×3, 32→64, dilation 2", _IMAGES, convolution(64, 3, dilation_rate=2)),
    Row("Conv2D", "3×3, 32→64, 4 groups", _IMAGES, convolution(64, 3, groups=4)),
    Row("Conv2D", "1×1, 64→64", _WIDE, convolution(64, 1)),
    Row("Conv3D", "3×3×3, 16→32", _VOLUMES, convolution(32, 3)),
    Row("Conv1DTranspose", "4, 64→32, stride 2", _SIGNALS, convolution(32, 4, strides=2)),
    Row("Conv2DTranspose", "4×4, 64→32, stride 2", (16, 16, 16, 64),
        convolution(32, 4, strides=2)),
    Row("Conv3DTranspose", "4×4×4, 32→16, stride 2", (4, 8, 8, 8, 32),
        convolution(16, 4, strides=2)),
    Row("DepthwiseConv1D", "3", _SIGNALS, {"kernel_size": 3, "padding": "same"}),
    Row("DepthwiseConv2D", "3×3", _WIDE, {"kernel_size": 3, "padding": "same"}),
    Row("SeparableConv1D", "3, 64→128", _SIGNALS, convolution(128, 3)),
    Row("SeparableConv2D", "3×3, 32→64", _IMAGES, convolution(64, 3)),
    Row("MaxPooling1D", "2", _SIGNALS, {"pool_size": 2}),
    Row("MaxPooling2D", "2×2", _WIDE, {"pool_size": 2}),
    Row("MaxPooling2D", "3×3, stride 2", _WIDE, {"pool_size": 3, "strides": 2}),
    Row("MaxPooling3D", "2×2×2", _VOLUMES, {"pool_size": 2}),
    Row("AveragePooling1D", "2", _SIGNALS, {"pool_size": 2}),
    Row("AveragePooling2D", "2×2", _WIDE, {"pool_size": 2}),
    Row("AveragePooling3D", "2×2×2", _VOLUMES, {"pool_size": 2}),
    Row("GlobalAveragePooling2D", "", _WIDE),
    Row("GlobalMaxPooling2D", "", _WIDE),
    Row("AdaptiveAveragePooling2D", "to 5×5", _WIDE, {"output_size": 5}),
    Row("AdaptiveMaxPooling2D", "to 5×5", _WIDE, {"output_size": 5}),
    Row("UpSampling1D", "×2", _SIGNALS, {"size": 2}),
    Row("UpSampling2D", "nearest, ×2", _SMALL, {"size": 2}),
    Row("UpSampling2D", "bilinear, ×2", _SMALL, {"size": 2, "interpolation": "bilinear"}),
    Row("UpSampling3D", "×2", (4, 8, 8, 8, 32), {"size": 2}),
    Row("ZeroPadding2D", "1 on each side", _WIDE, {"padding": 1}),
    Row("Cropping2D", "1 on each side", _WIDE, {"cropping": 1}),
    Row("BatchNormalization", "", _WIDE),
    Row("GroupNormalization", "32 groups", (16, 32, 32, 64), {"groups": 32}),
    Row("SpectralNormalization", "of Conv2D 3×3, 32→64", _IMAGES,
        wraps=(("Conv2D", convolution(64, 3)),)),
    Row("PReLU", "a slope a channel", _WIDE, {"shared_axes": [1, 2]}),
]  # fmt: skip
