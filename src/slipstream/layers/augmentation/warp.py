"""What layers that read pictures at other places share: one transform for each picture."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.kernels.sampling import warp
from slipstream.layers.augmentation.arguments import filling
from slipstream.layers.augmentation.base import Augmentation, Shape
from slipstream.layers.augmentation.boxes import through


class Warp(Augmentation):
    """A layer that reads each pixel of the result at another place of the picture.

    `_draw` gives ``(batch, 8)`` numbers as `boxes.through` takes them, from the result's pixels to
    the picture's.

    Args:
        fill_mode: what lies outside of the picture: ``"reflect"``, ``"wrap"``, ``"nearest"`` or
            ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``. Masks are always read at the nearest pixel.
        fill_value: for ``"constant"``.
    """

    _moves = True
    _upright = False  # whether rows stay rows and columns stay columns
    _projective = False  # whether parallels may meet

    def __init__(
        self, fill_mode: str, interpolation: str, fill_value: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.fill_mode, self.interpolation = filling(self, fill_mode, interpolation)
        self.fill_value = fill_value

    def _read(self, images: Any, numbers: Any, interpolation: str) -> Any:
        return warp(
            images,
            numbers,
            interpolation,
            self.fill_mode,
            self.fill_value,
            upright=self._upright,
            projective=self._projective,
        )

    def _images(self, images: Any, draw: Any) -> Any:
        return self._read(images, draw, self.interpolation)

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._read(masks.astype(jnp.float32), draw, "nearest").astype(masks.dtype)

    def _boxes(self, boxes: Any, draw: Any, shape: Shape) -> Any:
        return through(inverse(draw), boxes)


def affine(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any) -> Any:
    """``(batch, 8)`` numbers of a transform that keeps parallels."""
    zero = jnp.zeros(np.broadcast_shapes(*(np.shape(v) for v in (a, b, c, d, e, f))))
    return jnp.stack([v + zero for v in (a, b, c, d, e, f, 0, 0)], -1)


def inverse(numbers: Any) -> Any:
    """The transforms that undo these, ``(batch, 8)``."""
    a, b, c, d, e, f, g, h = numbers.T
    cofactors = [
        e - f * h, c * h - b, b * f - c * e,
        f * g - d, a - c * g, c * d - a * f,
        d * h - e * g, b * g - a * h,
    ]  # fmt: skip
    return jnp.stack(cofactors, -1) / (a * e - b * d)[:, None]
