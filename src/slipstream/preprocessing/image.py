"""Pictures, under Keras' older names."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.data.folders import resample
from slipstream.data.folders.images import array_to_img, img_to_array, load_img, save_img

__all__ = ["array_to_img", "img_to_array", "load_img", "save_img", "smart_resize"]


def smart_resize(
    x: Any,
    size: Any,
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
    **kwargs: Any,
) -> np.ndarray:
    """A picture (or a batch of them) in another size without distortion, cut around its centre.

    Args:
        x: ``(…, height, width, channels)``, or channels first.
        size: ``(height, width)``.
        interpolation: see `slipstream.data.folders.resample.INTERPOLATIONS`.
        data_format: where the channels are.
    """
    pictures = np.asarray(x)
    if data_format == "channels_first":
        pictures = np.moveaxis(pictures, -3, -1)
    result = resample.smart_resize(pictures, tuple(size), interpolation)
    return np.moveaxis(result, -1, -3) if data_format == "channels_first" else result
