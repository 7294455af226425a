"""Layers that change how bright pixels are, each pixel and channel by itself."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.kernels.pointwise import contrast, posterize, scale, solarize
from slipstream.layers.augmentation.arguments import between, chosen, limits, uniform, value_limits
from slipstream.layers.augmentation.base import Augmentation, Shape


@register("layer")
class RandomBrightness(Augmentation):
    """Add a number to all pixels of a picture. Bytes stay bytes.

    Args:
        factor: share of the value range, one number for both signs or two ends.
        value_range: least and greatest value of a pixel; results stay within.
        seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1 or another value range.
    """

    keeps_dtype = True
    _arguments = ("factor", "value_range", "seed")

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = limits(self, "factor", factor, -1, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        low, high = self.value_range
        return (high - low) * between(uniform(key, shape[0], 1)[0], self.factor)

    def _images(self, images: Any, draw: Any) -> Any:
        return scale(images, jnp.ones_like(draw), draw, self.value_range)


@register("layer")
class RandomContrast(Augmentation):
    """Move pixels away from their channel's mean, or towards it.

    Args:
        factor: a number from 0 to 1, or two: distances are multiplied by a number from 1 less the
            first to 1 plus the second. One number stands for 0 and itself.
        value_range: least and greatest value of a pixel; results stay within.
        seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1 or another value range.
    """

    _arguments = ("factor", "value_range", "seed")

    def __init__(
        self, factor: Any, value_range: Any = (0, 255), seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        ends = (1 - self.factor[0], 1 + self.factor[1])
        return between(uniform(key, shape[0], 1)[0], ends)

    def _images(self, images: Any, draw: Any) -> Any:
        return contrast(images, draw, self.value_range)


@register("layer")
class RandomInvert(Augmentation):
    """Turn pictures into their negatives.

    Args:
        factor: probability of that for a picture, drawn between two ends or from 0 to one number.
        value_range: least and greatest value of a pixel.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1 or another value range.
    """

    _arguments = ("factor", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return chosen(self.factor, *uniform(key, shape[0], 2))

    def _images(self, images: Any, draw: Any) -> Any:
        factors, more = jnp.where(draw, -1.0, 1.0), jnp.where(draw, self.value_range[1], 0.0)
        return scale(images, factors, more, (-jnp.inf, jnp.inf))


@register("layer")
class RandomPosterization(Augmentation):
    """Keep only the highest bits of each channel (Cubuk et al., 2019, "AutoAugment").

    Args:
        factor: how many bits, from 1 to 8: one number for 1 to that, or two ends. The upper end
            is left out.
        value_range: least and greatest value of a pixel.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1 to 8 or another value range.
    """

    _arguments = ("factor", "value_range", "seed")

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 1, 8)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return jnp.floor(between(uniform(key, shape[0], 1)[0], self.factor))

    def _images(self, images: Any, draw: Any) -> Any:
        return posterize(images, jnp.exp2(8 - draw), self.value_range)


@register("layer")
class Solarization(Augmentation):
    """Add a number to all pixels, then turn those above a threshold into their negatives.

    Args:
        addition_factor: share of the value range to add, two ends or one number for 0 to it.
        threshold_factor: share of the value range that is the threshold, likewise.
        value_range: least and greatest value of a pixel; results stay within.
        seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1 or another value range.
    """

    _arguments = ("value_range", "addition_factor", "threshold_factor", "seed")

    def __init__(
        self,
        addition_factor: Any = 0.0,
        threshold_factor: Any = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.addition_factor = limits(self, "addition_factor", addition_factor, 0, 1)
        self.threshold_factor = limits(self, "threshold_factor", threshold_factor, 0, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        first, second = uniform(key, shape[0], 2)
        return (
            255 * between(first, self.addition_factor),
            255 * between(second, self.threshold_factor),
        )

    def _images(self, images: Any, draw: Any) -> Any:
        more, thresholds = draw
        return solarize(images, more, thresholds, self.value_range)
