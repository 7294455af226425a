"""Layers that pad space with zeros or cut its ends away."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels.resampling import pad
from slipstream.layers.spatial import Spatial, is_count


class Margins(Spatial):
    """Two whole numbers, for both ends, on each spatial axis."""

    keeps_dtype = True
    per_example = True
    _argument = ""

    def __init__(self, margins: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        setattr(self, self._argument, self._pairs(margins))

    def _pairs(self, margins: Any) -> Any:
        """``((before, after), …)``; for one axis just ``(before, after)``, as Keras keeps it."""
        wanted = "one whole number of at least 0, or (before, after)"
        if self.rank > 1:
            wanted = (
                f"one whole number of at least 0, or {self.rank} of them, or {self.rank} pairs "
                "(before, after)"
            )
        ends = margins
        if self.rank == 1:
            ends = (margins,)
        elif is_count(margins, least=0):
            ends = (margins,) * self.rank
        try:
            pairs = tuple((e, e) if is_count(e, least=0) else tuple(e) for e in ends)
        except TypeError:
            pairs = ()
        good = len(pairs) == self.rank and all(
            len(pair) == 2 and all(is_count(end, least=0) for end in pair) for pair in pairs
        )
        if not good:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: {self._argument} must be {wanted}; "
                f"got {margins!r}."
            )
        return pairs[0] if self.rank == 1 else pairs

    def _ends(self) -> tuple[tuple[int, int], ...]:
        kept = getattr(self, self._argument)
        return (kept,) if self.rank == 1 else kept

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), self._argument: getattr(self, self._argument)}


class ZeroPadding(Margins):
    """Zeros around the spatial axes."""

    per_example = True
    _argument = "padding"

    def call(self, inputs: Any) -> Any:
        """Pad."""
        widths = dict(zip(self.spatial_axes, self._ends()))
        return pad(inputs, [widths.get(axis, (0, 0)) for axis in range(inputs.ndim)])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *longer, channels)``."""
        sizes = [input_shape[axis] for axis in self.spatial_axes]
        return self.with_sizes(
            input_shape, [None if n is None else n + sum(e) for n, e in zip(sizes, self._ends())]
        )


@register("layer")
class ZeroPadding1D(ZeroPadding):
    """Zeros before and after the steps of ``(batch, steps, channels)``.

    Args:
        padding: how many on each side, one number or ``(before, after)``.
        data_format: ``"channels_first"`` has the channels before the steps.

    Raises:
        ValueError: if `padding` is neither.
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@register("layer")
class ZeroPadding2D(ZeroPadding):
    """Zeros around images.

    Args:
        padding: one number, ``(vertical, horizontal)`` or ``((top, bottom), (left, right))``.
        data_format: ``"channels_first"`` has the channels before height and width.

    Raises:
        ValueError: if `padding` is none of these.
    """

    rank = 2

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@register("layer")
class ZeroPadding3D(ZeroPadding):
    """Zeros around volumes; `padding` is one number, three, or three pairs."""

    rank = 3

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class Cropping(Margins):
    """Positions cut away at the ends of the spatial axes."""

    per_example = True
    _argument = "cropping"

    def call(self, inputs: Any) -> Any:
        """Crop."""
        self.compute_output_shape(inputs.shape)  # complains about inputs that are too small
        margins = [(0, 0)] * inputs.ndim
        for axis, (before, after) in zip(self.spatial_axes, self._ends()):
            margins[axis] = (-before, -after)
        return pad(inputs, margins)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *shorter, channels)``."""
        given = [input_shape[axis] for axis in self.spatial_axes]
        sizes = [None if n is None else n - sum(ends) for n, ends in zip(given, self._ends())]
        if any(size is not None and size < 1 for size in sizes):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: cropping {self._ends()} leaves "
                f"nothing of an input of shape {tuple(input_shape)}. Crop less."
            )
        return self.with_sizes(input_shape, sizes)


@register("layer")
class Cropping1D(Cropping):
    """Cut steps away at both ends of ``(batch, steps, channels)``.

    Args:
        cropping: how many at each end, one number or ``(before, after)``.

    Raises:
        ValueError: if `cropping` is neither, or leaves nothing.
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        # As in Keras, there is no data_format to choose.
        return {k: v for k, v in super().get_config().items() if k != "data_format"}


@register("layer")
class Cropping2D(Cropping):
    """Cut the borders of images away.

    Args:
        cropping: one number, ``(vertical, horizontal)`` or ``((top, bottom), (left, right))``.
        data_format: ``"channels_first"`` has the channels before height and width.

    Raises:
        ValueError: if `cropping` is none of these, or leaves nothing.
    """

    rank = 2

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


@register("layer")
class Cropping3D(Cropping):
    """Cut the borders of volumes away; `cropping` is one number, three, or three pairs."""

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)
