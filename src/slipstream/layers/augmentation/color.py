"""Layers that change the colours of pictures."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.kernels.pointwise import GREY, clip, pale, per_pixel, split
from slipstream.layers.augmentation.arguments import between, limits, uniform, value_limits
from slipstream.layers.augmentation.base import Augmentation, Shape
from slipstream.layers.augmentation.light import RandomBrightness, RandomContrast


class _Colored(Augmentation):
    """A layer with a factor and a value range, for pictures of 3 channels."""

    _arguments = ("factor", "value_range", "seed")
    _ends: tuple[float, float]

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, *self._ends)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return between(uniform(key, shape[0], 1)[0], self.factor)


def _channels(layer: Any, images: Any, allowed: tuple[int, ...] = (3,)) -> Any:
    """The number of channels, which must be one of those."""
    if images.shape[-1] not in allowed:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.path!r} takes pictures of "
            f"{' or '.join(map(str, allowed))} channels; got {images.shape[-1]}."
        )
    return images.shape[-1]


def luma(images: Any) -> Any:
    """Shades of grey of RGB pictures, ``(batch, height, width, 1)``."""
    red, green, blue = (channel * grey for channel, grey in zip(split(images), GREY))
    return red + green + blue


@register("layer")
class RandomHue(_Colored):
    """Turn the colours of pictures on the colour wheel.

    Args:
        factor: share of half a turn, from 0 to 1: one number for 0 to it, or two ends. Either way
            round.
        value_range: least and greatest value of a pixel; results stay within.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1, another value range, or not 3 channels.
    """

    _ends = (0, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        strength, coin = uniform(key, shape[0], 2)
        turn = 0.5 * between(strength, self.factor)
        return jnp.where(coin < 0.5, -turn, turn)

    def _images(self, images: Any, draw: Any) -> Any:
        _channels(self, images)
        red, green, blue = split(images)
        value = jnp.maximum(jnp.maximum(red, green), blue)
        chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
        # The hue in sixths of the wheel, from -1 to 5, times chroma: nothing is divided.
        hue = jnp.where(
            value == red,
            green - blue,
            jnp.where(value == green, 2 * chroma + (blue - red), 4 * chroma + (red - green)),
        )
        # How far each channel's place on the turned wheel is from where it would be the least. The
        # turn is taken from -5 to 1, so that sums with hues are at most one time round.
        turn = 6 * draw[:, None] + jnp.asarray([8.0, 6.0, 4.0], images.dtype)
        turn = (turn - 6 * jnp.floor(turn / 6) - 5)[:, None, None]
        apart = jnp.abs(hue + turn * chroma)
        apart = jnp.minimum(apart, 6 * chroma - apart)
        below = clip(2 * chroma - apart, 0, chroma)  # how far below the greatest channel
        return clip(value - below, *self.value_range)


@register("layer")
class RandomSaturation(_Colored):
    """Make the colours of pictures stronger or paler.

    Args:
        factor: from 0, shades of grey, over 0.5, no change, to 1: one number for both signs of it,
            or two ends. Saturation is multiplied by ``factor / (1 - factor)``. Results may leave
            the value range.
        value_range: least and greatest value of a pixel.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1, another value range, or not 3 channels.
    """

    _ends = (-1, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        share = super()._draw(key, shape)
        return jnp.maximum(share / jnp.maximum(1 - share, 1e-7), 0)

    def _images(self, images: Any, draw: Any) -> Any:
        _channels(self, images)
        # At one hue and value, a channel's distance from the greatest one grows as saturation does.
        red, green, blue = split(images)
        greatest = jnp.maximum(jnp.maximum(red, green), blue)
        return greatest + (images - greatest) * per_pixel(draw)


@register("layer")
class RandomColorDegeneration(_Colored):
    """Blend pictures with their shades of grey.

    Args:
        factor: share of grey, one number for both signs of it or two ends: 0 is no change, 1 is
            grey, negative numbers make colours stronger.
        value_range: least and greatest value of a pixel; results stay within.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 1, another value range, or not 1 or 3 channels.
    """

    _ends = (-1, 1)

    def _images(self, images: Any, draw: Any) -> Any:
        if _channels(self, images, (1, 3)) == 1:
            return jnp.clip(images, *self.value_range)
        return pale(images, draw, self.value_range)


@register("layer")
class RandomGrayscale(Augmentation):
    """Turn pictures into shades of grey, in as many channels. Bytes stay bytes.

    Args:
        factor: probability of that for a picture.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for a factor beyond 0 to 1, or not 1 or 3 channels.
    """

    keeps_dtype = True
    _arguments = ("factor", "seed")

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(factor, (int, float)) or not 0 <= factor <= 1:
            raise self._fault("factor", "a number from 0 to 1", factor)
        self.factor = factor

    def _draw(self, key: Any, shape: Shape) -> Any:
        return uniform(key, shape[0], 1)[0] < self.factor

    def _images(self, images: Any, draw: Any) -> Any:
        if _channels(self, images, (1, 3)) == 1:
            return images
        return jnp.where(per_pixel(draw), luma(images), images)


@register("layer")
class RandomColorJitter(Augmentation):
    """Change brightness, contrast, saturation and hue, in that order.

    Args:
        value_range: least and greatest value of a pixel.
        brightness_factor, contrast_factor, saturation_factor, hue_factor: the factors of
            `RandomBrightness`, `RandomContrast`, `RandomSaturation` and `RandomHue`; None leaves a
            step out.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: as those layers do.
    """

    _arguments = (
        "value_range", "brightness_factor", "contrast_factor", "saturation_factor", "hue_factor",
        "seed",
    )  # fmt: skip

    def __init__(
        self,
        value_range: Any = (0, 255),
        brightness_factor: Any = None,
        contrast_factor: Any = None,
        saturation_factor: Any = None,
        hue_factor: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.brightness_factor, self.contrast_factor = brightness_factor, contrast_factor
        self.saturation_factor, self.hue_factor = saturation_factor, hue_factor
        kinds = {
            RandomBrightness: brightness_factor,
            RandomContrast: contrast_factor,
            RandomSaturation: saturation_factor,
            RandomHue: hue_factor,
        }
        self._steps = [
            kind(factor, value_range=value_range, name=f"{self.name}_{index}")
            for index, (kind, factor) in enumerate(kinds.items())
            if factor is not None
        ]

    def _draw(self, key: Any, shape: Shape) -> Any:
        return [
            step._draw(jax.random.fold_in(key, place), shape)
            for place, step in enumerate(self._steps)
        ]

    def _images(self, images: Any, draw: Any) -> Any:
        for step, drawn in zip(self._steps, draw):
            images = step._images(images, drawn)
        return images
