"""What layers over space share: checks of their arguments, and shapes in either data format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.core import config
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.kernels.geometry import output_size


class Spatial(Layer):
    """A layer on ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)``.

    Args:
        data_format: ``"channels_last"`` or ``"channels_first"``; the global setting if not given.

    Attributes:
        rank: number of spatial axes, set by each class.
    """

    rank = 0
    per_example = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or config.image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: data_format must be 'channels_last' "
                f"or 'channels_first'; got {data_format!r}."
            )
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def channels_last(self) -> bool:
        """Whether the channels are the last axis."""
        return self.data_format == "channels_last"

    @property
    def channel_axis(self) -> int:
        """Axis of the channels."""
        return -1 if self.channels_last else 1

    @property
    def spatial_axes(self) -> tuple[int, ...]:
        """Axes that are neither batch nor channels."""
        first = 1 if self.channels_last else 2
        return tuple(range(first, first + self.rank))

    def with_sizes(self, input_shape: Any, sizes: Sequence[Any], channels: Any = None) -> Any:
        """The input's shape with other spatial sizes, and other channels if given."""
        shape = list(input_shape)
        for axis, size in zip(self.spatial_axes, sizes):
            shape[axis] = size
        if channels is not None:
            shape[self.channel_axis] = channels
        return tuple(shape)

    def window_sizes(
        self,
        input_shape: Any,
        window: Sequence[int],
        strides: Sequence[int],
        padding: str,
        dilation: Sequence[int] | None = None,
    ) -> list[Any]:
        """How many windows fit along each spatial axis.

        Raises:
            ValueError: if none fits along one of them.
        """
        dilation = dilation or (1,) * self.rank
        sizes = [
            output_size(input_shape[axis], w, s, padding, d)
            for axis, w, s, d in zip(self.spatial_axes, window, strides, dilation)
        ]
        if any(size is not None and size < 1 for size in sizes):
            given = tuple(input_shape[axis] for axis in self.spatial_axes)
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: an input of size {given} is smaller "
                f"than the window {tuple(window)}"
                + (f" with dilation {tuple(dilation)}" if max(dilation) > 1 else "")
                + f"; got input shape {tuple(input_shape)}. Use a smaller window or "
                "padding='same', or put fewer layers that shrink the input before it."
            )
        return sizes

    def channels_of(self, input_shape: Any) -> int:
        """Number of channels.

        Raises:
            ValueError: if it is unknown.
        """
        channels = input_shape[self.channel_axis]
        if channels is None:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} needs to know the number of channels "
                f"(axis {self.channel_axis}); got shape {tuple(input_shape)}. Give it, as in "
                "Input(shape=(…, channels))."
            )
        return channels

    def per_axis(self, name: str, value: Any) -> tuple[int, ...]:
        """One whole number of at least 1 for each spatial axis, from such a tuple or one number.

        Raises:
            ValueError: for anything else.
        """
        one = isinstance(value, (int, np.integer))
        try:
            numbers = (value,) * self.rank if one else tuple(value)
        except TypeError:
            numbers = ()
        if len(numbers) != self.rank or not all(is_count(number) for number in numbers):
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of at "
                f"least 1, or {self.rank} of them; got {value!r}."
            )
        return tuple(int(number) for number in numbers)

    def choice(self, name: str, value: Any, allowed: Sequence[str]) -> str:
        """`value` in lower case, if it is one of the allowed words.

        Raises:
            ValueError: if it is not.
        """
        word = value.lower() if isinstance(value, str) else value
        if word not in allowed:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {name} must be "
                f"{' or '.join(map(repr, allowed))}; got {value!r}."
            )
        return word

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "data_format": self.data_format}


def is_count(value: Any, least: int = 1) -> bool:
    """Whether `value` is a whole number of at least `least`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    return whole and bool(value >= least)
