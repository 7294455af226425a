"""`RandomPerspective`: pictures as seen from elsewhere."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.layers.augmentation.arguments import (
    chosen,
    limits,
    uniform,
)
from slipstream.layers.augmentation.base import Shape
from slipstream.layers.augmentation.warp import Warp, inverse

_IDENTITY = np.array([1, 0, 0, 0, 1, 0, 0, 0], "float32")


@register("layer")
class RandomPerspective(Warp):
    """Pull the corners of pictures, but for the first, inwards and outwards.

    Args:
        factor: probability of that for a picture, drawn between two ends or from 0 to one number.
        scale: how far, from 0 to 1: 1 moves a corner by up to half of the picture.
        interpolation, fill_value: how pictures are read; see `RandomZoom`.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for numbers beyond 0 to 1.
        NotImplementedError: for another interpolation.
    """

    _arguments = ("factor", "scale", "interpolation", "fill_value", "seed")
    _projective = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            "constant", interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = limits(self, "factor", factor, 0, 1)
        if not isinstance(scale, (int, float)) or not 0 <= scale <= 1:
            raise self._fault("scale", "a number from 0 to 1", scale)
        self.scale = scale

    def _draw(self, key: Any, shape: Shape) -> Any:
        batch, height, width, _ = shape
        chance, share, *moves = uniform(key, batch, 10)
        right, bottom = width - 1, height - 1
        if height == 1 or width == 1:  # four points on a line say nothing of a plane
            return jnp.broadcast_to(_IDENTITY, (batch, 8))
        corners = np.array([[0, 0], [right, 0], [0, bottom], [right, bottom]], "float32")
        moved = corners * (1 + self.scale * (jnp.stack(moves, -1).reshape(batch, 4, 2) - 0.5))
        apply = chosen(self.factor, chance, share)
        numbers = inverse(_to_quadrangles(moved, right, bottom))
        return jnp.where(apply[:, None], numbers, _IDENTITY)


def _to_quadrangles(points: Any, right: float, bottom: float) -> Any:
    """The transforms that send a picture's corners to points (Heckbert, 1989).

    Args:
        points: ``(batch, 4, 2)`` of x and y, for the corners above left and right, below left and
            right.
        right, bottom: the picture's last column and row.
    """
    (x0, y0), (x1, y1), (x3, y3), (x2, y2) = jnp.moveaxis(points, 0, -1)
    far, near = (x1 - x2, y1 - y2), (x3 - x2, y3 - y2)
    off = (x0 - x1 + x2 - x3, y0 - y1 + y2 - y3)
    area = far[0] * near[1] - near[0] * far[1]
    g = (off[0] * near[1] - near[0] * off[1]) / area
    h = (far[0] * off[1] - off[0] * far[1]) / area
    unit = [x1 - x0 + g * x1, x3 - x0 + h * x3, x0, y1 - y0 + g * y1, y3 - y0 + h * y3, y0, g, h]
    scale = np.array([right, bottom, 1, right, bottom, 1, right, bottom], "float32")
    return jnp.stack(unit, -1) / scale
