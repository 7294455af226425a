"""Examples and what a layer makes of them, side by side in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_GAP = 2


def sheet(columns: Sequence[Sequence[np.ndarray]]) -> Any:
    """A ``PIL.Image`` of panels ``(height, width, 3)`` uint8; each column has one for each row.

    Raises:
        ImportError: without Pillow.
        ValueError: if there are no rows.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("show() needs Pillow: pip install slipstream[images].") from error
    if not columns[0]:
        raise ValueError("show() needs at least one example; got an empty batch, or rows=0.")
    height, width = (
        max(panel.shape[axis] for column in columns for panel in column) for axis in (0, 1)
    )
    shape = (len(columns[0]) * (height + _GAP) - _GAP, len(columns) * (width + _GAP) - _GAP, 3)
    whole = np.full(shape, 255, "uint8")
    for i, column in enumerate(columns):
        for j, panel in enumerate(column):
            top, left = j * (height + _GAP), i * (width + _GAP)
            whole[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return Image.fromarray(whole)


def photographs(layer: Any, columns: Sequence[Any], rows: int) -> list[list[np.ndarray]]:
    """Panels of pictures, or of dictionaries with them under ``"images"``.

    Pixels are shown over the layer's value range; without one, over that of the first column.
    """

    def pictures(data: Any) -> np.ndarray:
        images = np.asarray(data["images"] if isinstance(data, dict) else data)
        images = images[None] if images.ndim == 3 else images
        if getattr(layer, "data_format", None) == "channels_first":
            images = np.moveaxis(images, 1, -1)
        images = images[:rows].astype("float32")
        return images if images.shape[-1] == 3 else np.repeat(images[..., :1], 3, -1)

    found = [pictures(data) for data in columns]
    low, high = getattr(layer, "value_range", None) or _range(found[0])
    return [list(as_bytes((images - low) / (high - low))) for images in found]


def as_bytes(shares: np.ndarray) -> np.ndarray:
    """Numbers from 0 to 1 as bytes; what is beyond is cut."""
    return np.clip(np.nan_to_num(shares) * 255, 0, 255).round().astype("uint8")


def _range(images: np.ndarray) -> tuple[float, float]:
    """The likely value range: up to 255 or to 1, from 0 or from below."""
    least, most = images.min(initial=0), images.max(initial=0)
    high = 255.0 if max(most, -least) > 1.5 else 1.0
    return (0.0, high) if least >= 0 else (-high, high)
