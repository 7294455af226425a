"""`InputSpec`: what a layer accepts."""

from __future__ import annotations

from typing import Any


class InputSpec:
    """What a layer accepts: checked before it is called.

    Args:
        ndim: exact number of axes.
        min_ndim: least number of axes.
        axes: sizes that named axes must have, ``{-1: 100}``.
    """

    def __init__(
        self,
        ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int] | None = None,
    ) -> None:
        self.ndim = ndim
        self.min_ndim = min_ndim
        self.axes = axes or {}

    def check(self, layer: Any, value: Any) -> None:
        """Raise a ValueError that names the layer and both shapes if `value` does not fit."""
        shape = tuple(getattr(value, "shape", ()))
        wanted = None
        if self.ndim is not None and len(shape) != self.ndim:
            wanted = f"{self.ndim} axes"
        elif self.min_ndim is not None and len(shape) < self.min_ndim:
            wanted = f"at least {self.min_ndim} axes"
        else:
            for axis, size in self.axes.items():
                if size is not None and shape[axis] not in (None, size):
                    wanted = f"size {size} on axis {axis}"
        if wanted:
            raise ValueError(
                f"Layer {layer.path!r} ({type(layer).__name__}) wants an input with {wanted}; got "
                f"shape {shape}. Reshape the input, or build the layer for this shape."
            )
