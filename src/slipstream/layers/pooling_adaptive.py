"""Pooling to a given size, whatever the input's."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels.adaptive_pooling import adaptive_average_pool, adaptive_max_pool
from slipstream.layers.spatial import Spatial


class AdaptivePooling(Spatial):
    """Cuts each spatial axis into `output_size` parts of nearly equal length and pools each."""

    per_example = True

    def __init__(self, output_size: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.output_size = self.per_axis("output_size", output_size)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *output_size, channels)``."""
        return self.with_sizes(input_shape, self.output_size)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "output_size": self.output_size}


class AdaptiveMaxPooling(AdaptivePooling):
    """Maximum of each part."""

    per_example = True

    def call(self, inputs: Any) -> Any:
        """Pool."""
        return adaptive_max_pool(inputs, self.output_size, self.spatial_axes)


class AdaptiveAveragePooling(AdaptivePooling):
    """Mean of each part."""

    per_example = True

    def call(self, inputs: Any) -> Any:
        """Pool."""
        return adaptive_average_pool(inputs, self.output_size, self.spatial_axes)


@register("layer")
class AdaptiveMaxPooling1D(AdaptiveMaxPooling):
    """Maximum over parts of the steps: ``(batch, steps, channels)`` to
    ``(batch, output_size, channels)``.

    Part i runs from ``floor(i * steps / output_size)`` up to, not including,
    ``ceil((i + 1) * steps / output_size)``; neighbouring parts may share a step.

    Args:
        output_size: number of parts.
        data_format: ``"channels_first"`` has the channels before the steps.

    Raises:
        ValueError: if `output_size` is not a whole number of at least 1.
    """

    rank = 1


@register("layer")
class AdaptiveMaxPooling2D(AdaptiveMaxPooling):
    """`AdaptiveMaxPooling1D` on images; `output_size` one number or a pair."""

    rank = 2


@register("layer")
class AdaptiveMaxPooling3D(AdaptiveMaxPooling):
    """`AdaptiveMaxPooling1D` on volumes; `output_size` one number or three."""

    rank = 3


@register("layer")
class AdaptiveAveragePooling1D(AdaptiveAveragePooling):
    """Mean over parts of the steps; parts and arguments as in `AdaptiveMaxPooling1D`."""

    rank = 1


@register("layer")
class AdaptiveAveragePooling2D(AdaptiveAveragePooling):
    """`AdaptiveAveragePooling1D` on images; `output_size` one number or a pair."""

    rank = 2


@register("layer")
class AdaptiveAveragePooling3D(AdaptiveAveragePooling):
    """`AdaptiveAveragePooling1D` on volumes; `output_size` one number or three."""

    rank = 3
