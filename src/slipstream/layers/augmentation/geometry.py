"""Layers that turn, stretch and move pictures."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.kernels.mirroring import mirror
from slipstream.layers.augmentation.arguments import (
    between,
    limits,
    uniform,
)
from slipstream.layers.augmentation.base import Augmentation, Shape
from slipstream.layers.augmentation.warp import Warp, affine


@register("layer")
class RandomFlip(Augmentation):
    """Mirror one picture in two.

    Args:
        mode: ``"horizontal"``, ``"vertical"`` or ``"horizontal_and_vertical"``, which mirrors both
            ways or neither, as Keras does; two layers in a row mirror each way by itself.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for another mode.
    """

    _arguments = ("seed", "mode")
    _moves = True

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if mode not in ("horizontal", "vertical", "horizontal_and_vertical"):
            wanted = "'horizontal', 'vertical' or 'horizontal_and_vertical'"
            raise self._fault("mode", wanted, mode)
        self.mode = mode

    def _draw(self, key: Any, shape: Shape) -> Any:
        return uniform(key, shape[0], 1)[0] < 0.5

    def _images(self, images: Any, draw: Any) -> Any:
        return mirror(images, draw, "vertical" in self.mode, "horizontal" in self.mode)

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._images(masks, draw)

    def _boxes(self, boxes: Any, draw: Any, shape: Shape) -> Any:
        left, top, right, bottom = jnp.moveaxis(boxes, -1, 0)
        if "horizontal" in self.mode:
            left, right = shape[2] - right, shape[2] - left
        if "vertical" in self.mode:
            top, bottom = shape[1] - bottom, shape[1] - top
        return jnp.where(draw[:, None, None], jnp.stack([left, top, right, bottom], -1), boxes)


@register("layer")
class RandomRotation(Warp):
    """Turn pictures about their middle.

    Args:
        factor: share of a full turn, one number for both ways or two ends; positive numbers turn
            against the clock.
        fill_mode, interpolation, fill_value: how pictures are read; see `RandomZoom`.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1.
        NotImplementedError: for another fill mode or interpolation.
    """

    _arguments = ("factor", "fill_mode", "fill_value", "interpolation", "seed")

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.factor = limits(self, "factor", factor, -1, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        angle = 2 * np.pi * between(uniform(key, shape[0], 1)[0], self.factor)
        cos, sin = jnp.cos(angle), jnp.sin(angle)
        x, y = (shape[2] - 1) / 2, (shape[1] - 1) / 2
        return affine(cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y)


@register("layer")
class RandomZoom(Warp):
    """Stretch or shrink pictures about their middle.

    Args:
        height_factor: by how much more of the picture's height is seen, one number for both signs
            or two ends: 0.2 shrinks by up to 20 % of the new size, -0.2 enlarges.
        width_factor: the same across; as much as in height if not given.
        fill_mode: what lies outside of the picture, here for pixels ``abcd``: ``"reflect"``
            ``dcba|abcd|dcba``, ``"wrap"`` ``abcd|abcd|abcd``, ``"nearest"`` ``aaaa|abcd|dddd`` or
            ``"constant"``.
        interpolation: ``"bilinear"`` or ``"nearest"``. Masks are always read at the nearest pixel.
        fill_value: for ``"constant"``.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1, or -1.
        NotImplementedError: for another fill mode or interpolation.
    """

    _arguments = (
        "height_factor", "width_factor", "fill_mode", "interpolation", "seed", "fill_value",
    )  # fmt: skip
    _upright = True

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor, self.width_factor = height_factor, width_factor
        self._ends = limits(self, "height_factor", height_factor, -0.999999, 1)
        self._width_ends = self._ends
        if width_factor is not None:
            self._width_ends = limits(self, "width_factor", width_factor, -0.999999, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        first, second = uniform(key, shape[0], 2)
        tall = 1 + between(first, self._ends)
        wide = tall if self.width_factor is None else 1 + between(second, self._width_ends)
        x, y = (shape[2] - 1) / 2, (shape[1] - 1) / 2
        return affine(wide, 0.0, (1 - wide) * x, 0.0, tall, (1 - tall) * y)


@register("layer")
class RandomTranslation(Warp):
    """Move pictures up, down and sideways.

    Args:
        height_factor: how far down, as a share of the height: one number for both ways or two ends.
        width_factor: how far to the right, as a share of the width.
        fill_mode, interpolation, fill_value: how pictures are read; see `RandomZoom`.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1.
        NotImplementedError: for another fill mode or interpolation.
    """

    _arguments = RandomZoom._arguments
    _upright = True

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.height_factor, self.width_factor = height_factor, width_factor
        self._ends = limits(self, "height_factor", height_factor, -1, 1)
        self._width_ends = limits(self, "width_factor", width_factor, -1, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        first, second = uniform(key, shape[0], 2)
        down = between(first, self._ends) * shape[1]
        right = between(second, self._width_ends) * shape[2]
        return affine(1.0, 0.0, -right, 0.0, 1.0, -down)


@register("layer")
class RandomShear(Warp):
    """Slant pictures.

    Args:
        x_factor: by how much of a row's distance from the top it moves sideways, from 0 to 1: one
            number, or two ends of a strength that goes either way.
        y_factor: the same for columns. Both have the same sign.
        interpolation, fill_mode, fill_value: how pictures are read; see `RandomZoom`.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1.
        NotImplementedError: for another fill mode or interpolation.
    """

    _arguments = ("x_factor", "y_factor", "fill_mode", "interpolation", "seed", "fill_value")

    def __init__(
        self,
        x_factor: Any = 0.0,
        y_factor: Any = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            fill_mode, interpolation, fill_value, seed=seed, data_format=data_format, **kwargs
        )
        self.x_factor = self._both_ways("x_factor", x_factor)
        self.y_factor = self._both_ways("y_factor", y_factor)

    def _both_ways(self, argument: str, value: Any) -> tuple:
        if isinstance(value, (tuple, list)) and len(value) == 2 and value[0] == -value[1]:
            value = value[1]  # as the configuration of one number has it
        ends = limits(self, argument, value, 0.0, 1.0)
        return ends if isinstance(value, (tuple, list)) else (-value, value)

    def _draw(self, key: Any, shape: Shape) -> Any:
        first, second, coin = uniform(key, shape[0], 3)
        sign = jnp.where(coin < 0.5, -1.0, 1.0)
        x = sign * between(first, self.x_factor)
        y = sign * between(second, self.y_factor)
        return affine(1.0, x, 0.0, y, 1.0, 0.0)
