"""Pictures in another size, on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

INTERPOLATIONS = (
    "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic",
)  # fmt: skip


def resize(image: Any, size: tuple[int, int], interpolation: str = "bilinear") -> np.ndarray:
    """A picture ``(…, height, width, channels)`` in another size, float32.

    Sampled at the centres of the new pixels without low-pass filter, as TensorFlow does.

    Raises:
        ValueError: if the interpolation is unknown.
    """
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}."
        )
    result = np.asarray(image, np.float32)
    for axis, new in ((-3, size[0]), (-2, size[1])):
        old = result.shape[axis]
        if old != new or interpolation in ("gaussian", "mitchellcubic"):
            places, weights = _taps(old, new, interpolation)
            result = _along(result, places, weights, axis)
    return result


def _along(image: np.ndarray, places: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    shape = [1] * image.ndim
    shape[axis] = len(places)
    total: Any = 0
    for tap in range(places.shape[1]):
        part = np.take(image, places[:, tap], axis)
        if places.shape[1] == 1:
            return part
        total = total + part * weights[:, tap].reshape(shape)
    return total


def _taps(old: int, new: int, interpolation: str) -> tuple[np.ndarray, np.ndarray]:
    """Which old pixels make a new one, and their weights: ``(new, taps)`` each."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale
    if interpolation == "nearest":
        return np.minimum(centres.astype(int), old - 1)[:, None], np.ones((new, 1), np.float32)
    if interpolation == "area":
        begin, end = centres - scale / 2, centres + scale / 2
        places = np.floor(begin)[:, None].astype(int) + np.arange(int(np.ceil(scale)) + 1)
        weights = np.minimum(places + 1, end[:, None]) - np.maximum(places, begin[:, None])
        weights = np.maximum(weights, 0)
    else:
        kernel, radius = _KERNELS[interpolation]
        places = np.floor(centres - 0.5)[:, None].astype(int) + np.arange(1 - radius, radius + 1)
        weights = kernel(places + 0.5 - centres[:, None])
        weights = np.where((places < 0) | (places >= old), 0, weights)
    weights = weights / weights.sum(1, keepdims=True)
    return np.clip(places, 0, old - 1), weights.astype(np.float32)


def _cubic(b: float, c: float) -> Callable[[np.ndarray], np.ndarray]:
    """Mitchell and Netravali's family of cubic kernels (1988)."""

    def kernel(x: np.ndarray) -> np.ndarray:
        x = np.abs(x)
        near = (12 - 9 * b - 6 * c) * x**3 + (-18 + 12 * b + 6 * c) * x**2 + 6 - 2 * b
        far = (
            (-b - 6 * c) * x**3 + (6 * b + 30 * c) * x**2 + (-12 * b - 48 * c) * x + 8 * b + 24 * c
        )
        return np.where(x < 1, near, np.where(x < 2, far, 0)) / 6

    return kernel


def _lanczos(radius: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: np.where(np.abs(x) < radius, np.sinc(x) * np.sinc(x / radius), 0)


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "bilinear": (lambda x: np.maximum(1 - np.abs(x), 0), 1),
    "bicubic": (_cubic(0, 0.5), 2),
    "mitchellcubic": (_cubic(1 / 3, 1 / 3), 2),
    "lanczos3": (_lanczos(3), 3),
    "lanczos5": (_lanczos(5), 5),
    "gaussian": (lambda x: np.where(np.abs(x) < 1.5, np.exp(-2 * x**2), 0), 2),
}


def smart_resize(
    image: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    fit: str = "crop",
) -> np.ndarray:
    """A picture ``(…, height, width, channels)`` in another size without distortion, float32.

    Args:
        image: the picture.
        size: ``(height, width)``.
        interpolation: see `resize`.
        fit: ``"crop"`` to the new aspect ratio around the centre, or ``"pad"`` with zeros.
    """
    image = np.asarray(image)
    height, width = image.shape[-3:-1]
    tall, wide = int(width * size[0] / size[1]), int(height * size[1] / size[0])
    if fit == "crop":
        new_height, new_width = max(min(height, tall), 1), max(min(width, wide), 1)
        top, left = (height - new_height) // 2, (width - new_width) // 2
        image = image[..., top : top + new_height, left : left + new_width, :]
    else:
        # As many rows and columns on either side, which is what Keras adds.
        rows, columns = (max(height, tall) - height) // 2, (max(width, wide) - width) // 2
        padding = [(rows, rows), (columns, columns), (0, 0)]
        image = np.pad(image, [(0, 0)] * (image.ndim - 3) + padding)
    return resize(image, size, interpolation)
