"""Colours: RGB, HSV (Smith, 1978) and shades of grey."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_float
from slipstream.ops.image_format import channels_first, check_rank


def _on_channels(
    name: str, function: Callable[..., Any], images: Any, data_format: str | None
) -> Any:
    """``function(first, second, third)`` of the three channels; gives the new ones."""
    images = jnp.asarray(images)
    check_rank(name, images, (3, 4))
    axis = -3 if channels_first(name, data_format) else -1
    if images.shape[axis] != 3:
        raise ValueError(
            f"{name} wants 3 channels on axis {axis}; got images of shape {images.shape}."
        )
    return jnp.stack(function(*jnp.moveaxis(images, axis, 0)), axis)


@operation("image", "RGBToGrayscale")
def rgb_to_grayscale(images: Array, data_format: str | None = None) -> Any:
    """Luma of RGB images (ITU-R BT.601), one channel, in the images' type."""
    images = jnp.asarray(images)

    def luma(red: Any, green: Any, blue: Any) -> list[Any]:
        red, green, blue = as_float(red), as_float(green), as_float(blue)
        return [(0.2989 * red + 0.587 * green + 0.114 * blue).astype(images.dtype)]

    return _on_channels("rgb_to_grayscale", luma, images, data_format)


def _check_floats(name: str, images: Any) -> None:
    if not jnp.issubdtype(jnp.asarray(images).dtype, jnp.floating):
        raise ValueError(
            f"{name} wants floats from 0 to 1; got {jnp.asarray(images).dtype}. Divide by 255."
        )


@operation("image", "RGBToHSV")
def rgb_to_hsv(images: Array, data_format: str | None = None) -> Any:
    """Hue, saturation and value, each from 0 to 1, of RGB floats from 0 to 1.

    Raises:
        ValueError: for images of another type, or without 3 channels.
    """
    _check_floats("rgb_to_hsv", images)

    def convert(red: Any, green: Any, blue: Any) -> tuple[Any, Any, Any]:
        value = jnp.maximum(jnp.maximum(red, green), blue)
        chroma = value - jnp.minimum(jnp.minimum(red, green), blue)
        grey = chroma == 0
        safe = jnp.where(grey, 1, chroma)
        hue = jnp.where(
            value == red,
            (green - blue) / safe,
            jnp.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
        )
        hue = jnp.where(grey, 0, (hue / 6) % 1).astype(value.dtype)
        saturation = jnp.where(value > 0, chroma / jnp.where(value > 0, value, 1), 0)
        return hue, saturation.astype(value.dtype), value

    return _on_channels("rgb_to_hsv", convert, images, data_format)


@operation("image", "HSVToRGB")
def hsv_to_rgb(images: Array, data_format: str | None = None) -> Any:
    """Inverse of `rgb_to_hsv`.

    Raises:
        ValueError: for images of another type, or without 3 channels.
    """
    _check_floats("hsv_to_rgb", images)

    def convert(hue: Any, saturation: Any, value: Any) -> list[Any]:
        sixths = hue * 6

        def channel(offset: int) -> Any:
            k = (offset + sixths) % 6
            return value - value * saturation * jnp.clip(jnp.minimum(k, 4 - k), 0, 1)

        return [channel(5), channel(3), channel(1)]

    return _on_channels("hsv_to_rgb", convert, images, data_format)
