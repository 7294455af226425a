"""Pooling over windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slipstream.core.registry import register
from slipstream.kernels.pooling import average_pool, max_pool
from slipstream.layers.spatial import Spatial


class Pooling(Spatial):
    """Windows, strides and padding of every kind of pooling."""

    per_example = True
    _pool: Callable[..., Any]

    def __init__(
        self,
        pool_size: Any,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, name=name, **kwargs)
        self.pool_size = self.per_axis("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else self.per_axis("strides", strides)
        self.padding = self.choice("padding", padding, ("valid", "same"))

    def call(self, inputs: Any) -> Any:
        """Pool."""
        self.compute_output_shape(inputs.shape)  # complains about inputs that are too small
        pool = type(self)._pool
        return pool(inputs, self.pool_size, self.strides, self.padding, self.channels_last)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *windows, channels)``."""
        sizes = self.window_sizes(input_shape, self.pool_size, self.strides, self.padding)
        return self.with_sizes(input_shape, sizes)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }


class MaxPooling(Pooling):
    """Windows of 2 along each axis unless told otherwise."""

    _pool = staticmethod(max_pool)

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling(Pooling):
    """The window's size must be given, as in Keras."""

    _pool = staticmethod(average_pool)


@register("layer", "MaxPool1D")
class MaxPooling1D(MaxPooling):
    """Largest value of each window, for each channel of ``(batch, steps, channels)``.

    The gradient goes to the first of equal values.

    Args:
        pool_size: positions in a window.
        strides: positions from one window to the next; `pool_size` if not given.
        padding: ``"valid"`` (only whole windows) or ``"same"`` (``ceil(steps / strides)``
            windows).
        data_format: ``"channels_first"`` has the channels before the steps.

    Raises:
        ValueError: if an argument is out of range, or the input is smaller than a window.
    """

    rank = 1


@register("layer", "MaxPool2D")
class MaxPooling2D(MaxPooling):
    """`MaxPooling1D` on images; sizes one number for both axes or a pair."""

    rank = 2


@register("layer", "MaxPool3D")
class MaxPooling3D(MaxPooling):
    """`MaxPooling1D` on volumes; sizes one number or three."""

    rank = 3


@register("layer", "AvgPool1D")
class AveragePooling1D(AveragePooling):
    """Mean of each window, for each channel of ``(batch, steps, channels)``.

    Padding is not counted in the mean. Arguments as in `MaxPooling1D`.
    """

    rank = 1


@register("layer", "AvgPool2D")
class AveragePooling2D(AveragePooling):
    """`AveragePooling1D` on images; sizes one number for both axes or a pair."""

    rank = 2


@register("layer", "AvgPool3D")
class AveragePooling3D(AveragePooling):
    """`AveragePooling1D` on volumes; sizes one number or three."""

    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D
