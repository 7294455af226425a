"""Layers that spread the values of a picture over the whole range."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.kernels.histogram import equalize, histograms, look_up
from slipstream.kernels.pointwise import from_bytes, stretch, to_bytes
from slipstream.layers.augmentation.arguments import value_limits
from slipstream.layers.augmentation.base import Augmentation

_LEVELS = 256


@register("layer")
class AutoContrast(Augmentation):
    """Stretch each channel of a picture over the value range, in prediction too.

    Channels of one value stay as they are.

    Args:
        value_range: least and greatest value of a pixel.

    Raises:
        ValueError: for another value range.
    """

    _arguments = ("value_range",)
    _random = False
    _always = True

    def __init__(self, value_range: Any = (0, 255), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.value_range = value_limits(self, value_range)

    def _images(self, images: Any, draw: Any) -> Any:
        return stretch(images, self.value_range)


def _planes(images: Any) -> Any:
    """``(batch * channels, height, width)``."""
    batch, height, width, channels = images.shape
    return jnp.moveaxis(images, -1, 1).reshape(batch * channels, height, width)


def _pictures(planes: Any, shape: tuple) -> Any:
    """Inverse of `_planes`."""
    batch, height, width, channels = shape
    return jnp.moveaxis(planes.reshape(batch, channels, height, width), 1, -1)


@register("layer")
class Equalization(Augmentation):
    """Make all values of a channel of a picture about equally frequent.

    Channels of one value stay as they are.

    Args:
        value_range: least and greatest value of a pixel.
        bins: how many values to tell apart.
        data_format: see `Augmentation`.

    Raises:
        ValueError: for another value range, or less than 1 bin.
    """

    _arguments = ("bins", "value_range")
    _random = False

    def __init__(
        self,
        value_range: Any = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_limits(self, value_range)
        if not isinstance(bins, int) or bins < 1:
            raise self._fault("bins", "a whole number of at least 1", bins)
        self.bins = bins

    def _images(self, images: Any, draw: Any) -> Any:
        return equalize(images, self.bins, self.value_range)


@register("layer")
class ContrastLimitedAdaptiveHistogramEqualization(Augmentation):
    """Equalize parts of a picture, but not where that would make noise plain, in prediction too.

    Zuiderveld, "Contrast limited adaptive histogram equalization", 1994. Bytes stay bytes.

    Args:
        value_range: least and greatest value of a pixel.
        clip_limit: how many times its equal share a value may come up; 0 for no limit.
        tile_grid_size: parts in height and width.
        data_format: see `Augmentation`.

    Raises:
        ValueError: for another value range or grid, or if the input holds boxes or masks.
    """

    keeps_dtype = True
    _arguments = ("value_range", "clip_limit", "tile_grid_size")
    _random = False
    _always = True

    def __init__(
        self,
        value_range: Any = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Any = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format=data_format, **kwargs)
        self.value_range = value_limits(self, value_range)
        self.clip_limit = clip_limit
        grid = tile_grid_size
        if not isinstance(grid, (tuple, list)) or len(grid) != 2 or min(grid) < 1:
            raise self._fault("tile_grid_size", "two whole numbers of at least 1", grid)
        self.tile_grid_size = tuple(grid)

    def _images(self, images: Any, draw: Any) -> Any:
        values = jnp.clip(to_bytes(images, self.value_range), 0, 255)
        planes = _planes(values).astype("int32")
        count, height, width = planes.shape
        tables, tall, wide = self._tables(planes)
        (above, below, down), (left, right, across) = (
            self._neighbours(size, tile, tiles)
            for size, tile, tiles in zip((height, width), (tall, wide), self.tile_grid_size)
        )
        across_tiles, each = self.tile_grid_size[1], math.prod(self.tile_grid_size)
        starts = np.arange(count, dtype="int32")[:, None, None] * each  # each plane's first tile

        def looked_up(row: np.ndarray, column: np.ndarray) -> Any:
            tile = starts + (row[:, None] * across_tiles + column).astype("int32")
            return look_up(tables, tile * _LEVELS + planes)

        down = down[:, None]
        upper = looked_up(above, left) * (1 - across) + looked_up(above, right) * across
        lower = looked_up(below, left) * (1 - across) + looked_up(below, right) * across
        result = _pictures(upper * (1 - down) + lower * down, images.shape)
        return from_bytes(result, self.value_range)

    def _tables(self, planes: Any) -> tuple[Any, int, int]:
        """Each plane's tables one after the other, one a row, and a tile's height and width."""
        count, height, width = planes.shape
        rows, columns = self.tile_grid_size
        tall, wide = -(-height // rows), -(-width // columns)
        padding = ((0, 0), (0, tall * rows - height), (0, wide * columns - width))
        tiles = jnp.pad(planes, padding, mode="symmetric")
        tiles = tiles.reshape(count, rows, tall, columns, wide).swapaxes(2, 3)
        tiles = tiles.reshape(count * rows * columns, tall * wide)
        starts = np.arange(len(tiles), dtype="int32")[:, None] * _LEVELS
        found = histograms(starts + tiles, len(tiles), _LEVELS)
        if self.clip_limit > 0:
            limit = self.clip_limit * tall * wide / _LEVELS
            kept = jnp.minimum(found, limit)
            found = kept + jnp.sum(found - kept, -1, keepdims=True) / _LEVELS
        sums = jnp.cumsum(found, -1)
        sums = sums - sums[:, :1]
        tables = sums * 255 / jnp.maximum(sums[:, -1:], 1e-7)
        return tables, tall, wide

    @staticmethod
    def _neighbours(size: int, tile: int, tiles: int) -> tuple[Any, Any, Any]:
        """Tiles on both sides of each pixel, and how near it is to the second."""
        place = np.arange(size) / tile - 0.5
        first = np.floor(place).astype(int)
        share = (place - first).astype("float32")
        return np.clip(first, 0, tiles - 1), np.clip(first + 1, 0, tiles - 1), share
