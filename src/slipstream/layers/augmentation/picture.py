"""Pictures and what a layer makes of them, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np

_GAP = 2


def grid(layer: Any, data: Any, draws: int, rows: int) -> Any:
    """A ``PIL.Image`` with a row for each picture: itself, then results of `layer`.

    Pixels are shown over the layer's value range; without one, over that of the pictures.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("show() needs Pillow: pip install slipstream[images].") from error

    def pictures(data: Any) -> np.ndarray:
        images = np.asarray(data["images"] if isinstance(data, dict) else data)
        images = images[None] if images.ndim == 3 else images
        if getattr(layer, "data_format", None) == "channels_first":
            images = np.moveaxis(images, 1, -1)
        images = images[:rows].astype("float32")
        return images if images.shape[-1] == 3 else np.repeat(images[..., :1], 3, -1)

    columns = [pictures(data), *(pictures(layer(data, training=True)) for _ in range(draws))]
    low, high = getattr(layer, "value_range", None) or _range(columns[0])
    height, width = (max(c.shape[axis] for c in columns) for axis in (1, 2))
    count = len(columns[0])
    shape = (count * (height + _GAP) - _GAP, len(columns) * (width + _GAP) - _GAP, 3)
    sheet = np.full(shape, 255, "uint8")
    for column, images in enumerate(columns):
        for row, image in enumerate(images):
            top, left = row * (height + _GAP), column * (width + _GAP)
            shown = np.clip((image - low) / (high - low) * 255, 0, 255).round().astype("uint8")
            sheet[top : top + image.shape[0], left : left + image.shape[1]] = shown
    return Image.fromarray(sheet)


def _range(images: np.ndarray) -> tuple[float, float]:
    """The likely value range: up to 255 or to 1, from 0 or from below."""
    least, most = images.min(initial=0), images.max(initial=0)
    high = 255.0 if max(most, -least) > 1.5 else 1.0
    return (0.0, high) if least >= 0 else (-high, high)
