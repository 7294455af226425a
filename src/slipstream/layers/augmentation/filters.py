"""Layers that blend pixels with their neighbours."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.kernels.pointwise import from_bytes, per_pixel, to_bytes
from slipstream.kernels.sampling import sample
from slipstream.layers.augmentation.arguments import (
    between,
    chosen,
    filling,
    limits,
    uniform,
    value_limits,
)
from slipstream.layers.augmentation.base import Augmentation, Shape


def slide(images: Any, weights: Any, axis: int) -> Any:
    """Pictures filtered along an axis, each by weights of its own; 0 lies outside.

    Args:
        images: ``(batch, height, width, channels)``.
        weights: ``(batch, size)``, an odd size.
        axis: 1 or 2.
    """
    reach, length = weights.shape[1] // 2, images.shape[axis]
    padding = [(0, 0)] * 4
    padding[axis] = (reach, reach)
    padded = jnp.pad(images, padding)
    return sum(
        per_pixel(weights[:, place])
        * jax.lax.slice_in_dim(padded, place, place + length, axis=axis)
        for place in range(weights.shape[1])
    )


def bell(size: int, sigma: Any) -> Any:
    """``(batch, size)`` points of normal densities about the middle, with sum 1."""
    distance = jnp.arange(size, dtype=jnp.float32) - (size - 1) / 2
    weights = jnp.exp(-0.5 * (distance / sigma[:, None]) ** 2)
    return weights / jnp.sum(weights, -1, keepdims=True)


@register("layer")
class RandomSharpness(Augmentation):
    """Blur pictures a little or make them sharper.

    Args:
        factor: from 0, blurred, over 0.5, no change, to 1, sharper: one number for 0 to it, or two
            ends.
        value_range: least and greatest value of a pixel; results stay within.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1 or another value range.
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
        self.factor = limits(self, "factor", factor, 0, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        return between(uniform(key, shape[0], 1)[0], self.factor)

    def _images(self, images: Any, draw: Any) -> Any:
        values = to_bytes(images, self.value_range)
        ones = jnp.ones((values.shape[0], 3), values.dtype)
        blurred = (slide(slide(values, ones, 1), ones, 2) + 4 * values) / 13
        blended = blurred + 2 * per_pixel(draw) * (values - blurred)
        return from_bytes(jnp.clip(blended, 0, 255), self.value_range)


@register("layer")
class RandomGaussianBlur(Augmentation):
    """Blur pictures by a normal density.

    Args:
        factor: probability of that for a picture, drawn between two ends or from 0 to one number.
        kernel_size: columns and rows of the window, odd; one number for both.
        sigma: standard deviation in pixels, from 0 to 1, across and down drawn apart: two ends or
            one number for 0 to it.
        value_range: least and greatest value of a pixel; results stay within.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: for numbers beyond 0 to 1, even sizes or another value range.
    """

    _arguments = ("factor", "kernel_size", "sigma", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        kernel_size: Any = 3,
        sigma: Any = 1.0,
        value_range: Any = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        sizes = kernel_size if isinstance(kernel_size, (tuple, list)) else (kernel_size,) * 2
        if len(sizes) != 2 or not all(isinstance(s, int) and s % 2 and s > 0 for s in sizes):
            raise self._fault("kernel_size", "an odd number, or two of them", kernel_size)
        self.kernel_size = tuple(sizes)
        self.sigma = limits(self, "sigma", sigma, 0, 1)
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        chance, share, across, down = uniform(key, shape[0], 4)
        sigmas = [between(number, self.sigma) + 1e-6 for number in (across, down)]
        return chosen(self.factor, chance, share), *sigmas

    def _images(self, images: Any, draw: Any) -> Any:
        apply, across, down = draw
        columns, rows = self.kernel_size
        blurred = slide(slide(images, bell(rows, down), 1), bell(columns, across), 2)
        return jnp.clip(jnp.where(per_pixel(apply), blurred, images), *self.value_range)


@register("layer")
class RandomElasticTransform(Augmentation):
    """Move pixels by smooth random distances (Simard et al., 2003).

    Args:
        factor: probability of that for a picture, drawn between two ends or from 0 to one number.
        scale: how far and how smoothly, from 0 to 1: two ends or one number for 0 to it. Distances
            are a tenth of it in pixels of the longer side, before they are averaged over a
            twentieth of it of the shorter side.
        interpolation, fill_mode, fill_value: how pictures are read; see `RandomZoom`.
        value_range: kept for Keras' signature.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for numbers beyond 0 to 1, or a dictionary with boxes.
        NotImplementedError: for another fill mode or interpolation.
    """

    _arguments = (
        "factor", "scale", "interpolation", "fill_mode", "fill_value", "value_range", "seed",
    )  # fmt: skip
    _moves = True

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.scale = limits(self, "scale", scale, 0, 1)
        self.fill_mode, self.interpolation = filling(self, fill_mode, interpolation)
        self.fill_value = fill_value
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        batch, height, width, _ = shape
        chance, share, strength = uniform(key, batch, 3)
        scale = between(strength, self.scale)
        sigma = 0.05 * scale * min(height, width) + 1e-6
        size = int(6 * 0.05 * self.scale[1] * min(height, width)) | 1
        noise = jax.random.normal(jax.random.fold_in(key, 1), (batch, height, width, 2))
        weights = bell(size, sigma)
        smooth = slide(slide(noise, weights, 1), weights, 2)
        moves = smooth * per_pixel(sigma * 0.1 * scale * max(height, width))
        return jnp.where(per_pixel(chosen(self.factor, chance, share)), moves, 0)

    def _read(self, images: Any, draw: Any, interpolation: str) -> Any:
        rows, columns = (jnp.arange(size, dtype=jnp.float32) for size in images.shape[1:3])
        rows, columns = rows[:, None] + draw[..., 0], columns + draw[..., 1]
        return sample(images, rows, columns, interpolation, self.fill_mode, self.fill_value)

    def _images(self, images: Any, draw: Any) -> Any:
        return self._read(images, draw, self.interpolation)

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._read(masks.astype(jnp.float32), draw, "nearest").astype(masks.dtype)

    def _boxes(self, boxes: Any, draw: Any, shape: Shape) -> Any:
        raise NotImplementedError(
            f"RandomElasticTransform layer {self.path!r} cannot move boxes. Leave them out, or use "
            "RandomPerspective."
        )
