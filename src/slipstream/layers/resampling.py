"""Layers that repeat spatial positions or interpolate between them."""

from __future__ import annotations

from typing import Any

import jax

from slipstream.core.registry import register
from slipstream.kernels.resampling import repeat, resize_linear
from slipstream.layers.spatial import Spatial

# Keras' names for what jax.image.resize does.
_METHODS = {
    "bilinear": "linear",
    "bicubic": "cubic",
    "lanczos3": "lanczos3",
    "lanczos5": "lanczos5",
}


class UpSampling(Spatial):
    """Each spatial axis made `size` times as long by repeating each position."""

    per_example = True
    size: Any

    def _factors(self) -> tuple[int, ...]:
        return self.size

    def call(self, inputs: Any) -> Any:
        """Repeat each position."""
        return repeat(inputs, self._factors(), self.spatial_axes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *longer, channels)``."""
        sizes = [input_shape[axis] for axis in self.spatial_axes]
        longer = [None if n is None else n * f for n, f in zip(sizes, self._factors())]
        return self.with_sizes(input_shape, longer)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "size": self.size}


@register("layer")
class UpSampling1D(UpSampling):
    """Repeat each step: ``(batch, steps, channels)`` to ``(batch, steps * size, channels)``.

    Args:
        size: how often each step is repeated.

    Raises:
        ValueError: if `size` is not a whole number of at least 1.
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__("channels_last", **kwargs)
        (self.size,) = self.per_axis("size", size)

    def _factors(self) -> tuple[int, ...]:
        return (self.size,)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        # As in Keras, there is no data_format to choose.
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


@register("layer")
class UpSampling2D(UpSampling):
    """Enlarge images: ``(batch, height, width, channels)`` to `size` times height and width.

    Args:
        size: factor of height and width, one number or a pair.
        data_format: ``"channels_first"`` has the channels before height and width.
        interpolation: ``"nearest"`` (repeat), ``"bilinear"``, ``"bicubic"``, ``"lanczos3"`` or
            ``"lanczos5"``.

    Raises:
        ValueError: if an argument is out of range.
    """

    rank = 2
    per_example = True

    def __init__(
        self,
        size: Any = 2,
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.size = self.per_axis("size", size)
        self.interpolation = self.choice("interpolation", interpolation, ("nearest", *_METHODS))

    def call(self, inputs: Any) -> Any:
        """Enlarge."""
        if self.interpolation == "nearest":
            return super().call(inputs)
        shape = self.compute_output_shape(inputs.shape)
        inputs = inputs.astype(self.compute_dtype)
        if self.interpolation == "bilinear":
            return resize_linear(inputs, shape)
        return jax.image.resize(inputs, shape, _METHODS[self.interpolation])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "interpolation": self.interpolation}


@register("layer")
class UpSampling3D(UpSampling):
    """Repeat each position of volumes; `size` is one number or three."""

    rank = 3

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.size = self.per_axis("size", size)
