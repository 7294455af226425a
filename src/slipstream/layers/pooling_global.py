"""Pooling over all of space at once."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.kernels.global_max import global_max
from slipstream.kernels.normalization import widen
from slipstream.kernels.pooling import average_pool
from slipstream.layers.spatial import Spatial


class GlobalPooling(Spatial):
    """One number for each channel; `keepdims` keeps the spatial axes with size 1."""

    per_example = True

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.keepdims = keepdims

    def _pool(self, inputs: Any) -> Any:
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Pool."""
        if 0 in (inputs.shape[axis] for axis in self.spatial_axes):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} got nothing to pool: shape "
                f"{inputs.shape}. Give it inputs of at least one position."
            )
        return self._pool(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, channels)``, with axes of size 1 between them if `keepdims`."""
        if self.keepdims:
            return self.with_sizes(input_shape, (1,) * self.rank)
        return (input_shape[0], input_shape[self.channel_axis])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "keepdims": self.keepdims}


class GlobalMaxPooling(GlobalPooling):
    """Maximum over the spatial axes."""

    def _pool(self, inputs: Any) -> Any:
        if not self.channels_last:
            return jnp.max(inputs, self.spatial_axes, keepdims=self.keepdims)
        largest = global_max(inputs)
        return jnp.expand_dims(largest, self.spatial_axes) if self.keepdims else largest


class GlobalAveragePooling(GlobalPooling):
    """Mean over the spatial axes, summed in float32 or wider."""

    def _pool(self, inputs: Any) -> Any:
        sizes = [inputs.shape[axis] for axis in self.spatial_axes]
        exact = inputs if inputs.dtype == self.compute_dtype else widen(inputs)
        means = average_pool(exact, sizes, sizes, "valid", self.channels_last)
        if not self.keepdims:
            means = jnp.squeeze(means, self.spatial_axes)
        return means.astype(self.compute_dtype)


@register("layer", "GlobalMaxPool1D")
class GlobalMaxPooling1D(GlobalMaxPooling):
    """Largest value of each channel: ``(batch, steps, channels)`` to ``(batch, channels)``.

    Args:
        data_format: ``"channels_first"`` has the channels before the steps.
        keepdims: keep the pooled axes, with size 1.

    Raises:
        ValueError: if there is no position to pool.
    """

    rank = 1


@register("layer", "GlobalMaxPool2D")
class GlobalMaxPooling2D(GlobalMaxPooling):
    """`GlobalMaxPooling1D` on images."""

    rank = 2


@register("layer", "GlobalMaxPool3D")
class GlobalMaxPooling3D(GlobalMaxPooling):
    """`GlobalMaxPooling1D` on volumes."""

    rank = 3


@register("layer", "GlobalAvgPool1D")
class GlobalAveragePooling1D(GlobalAveragePooling):
    """Mean of each channel: ``(batch, steps, channels)`` to ``(batch, channels)``.

    A mask ``(batch, steps)`` leaves steps out; where it leaves none, the mean is 0.

    Args:
        data_format: ``"channels_first"`` has the channels before the steps.
        keepdims: keep the pooled axis, with size 1.

    Raises:
        ValueError: if there is no position to pool.
    """

    rank = 1
    per_example = True
    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Average the steps, or those that the mask keeps."""
        if mask is None:
            return super().call(inputs)
        counted = jnp.expand_dims(mask.astype(bool), self.channel_axis)
        wide = jnp.where(counted, widen(inputs), 0)
        (axis,) = self.spatial_axes
        total = jnp.sum(counted, axis, wide.dtype, keepdims=self.keepdims)
        means = jnp.sum(wide, axis, keepdims=self.keepdims) / jnp.maximum(total, 1)
        return means.astype(self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: no steps are left to be masked."""
        return None


@register("layer", "GlobalAvgPool2D")
class GlobalAveragePooling2D(GlobalAveragePooling):
    """Mean of each channel of images; arguments as in `GlobalMaxPooling1D`."""

    rank = 2


@register("layer", "GlobalAvgPool3D")
class GlobalAveragePooling3D(GlobalAveragePooling):
    """Mean of each channel of volumes; arguments as in `GlobalMaxPooling1D`."""

    rank = 3


GlobalMaxPool1D, GlobalMaxPool2D = GlobalMaxPooling1D, GlobalMaxPooling2D
GlobalMaxPool3D = GlobalMaxPooling3D
GlobalAvgPool1D, GlobalAvgPool2D = GlobalAveragePooling1D, GlobalAveragePooling2D
GlobalAvgPool3D = GlobalAveragePooling3D
