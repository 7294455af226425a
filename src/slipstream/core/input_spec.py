"""`InputSpec`: what a layer accepts."""

from __future__ import annotations

from typing import Any

import jax


class InputSpec:
    """What one input of a layer has to be; checked before the layer is called.

    Args:
        dtype: exact type.
        shape: exact shape, None for a size that may be any.
        ndim: exact number of axes.
        max_ndim: largest number of axes.
        min_ndim: least number of axes.
        axes: sizes that some axes must have, ``{-1: 100}``.
        allow_last_axis_squeeze: whether a last axis of size 1 may be missing, or be there beside
            those of `shape`.
        name: key of the input where a layer is given a dictionary.
        optional: whether it may be None.

    Raises:
        TypeError: if the keys of `axes` are no whole numbers.
        ValueError: if one of them lies beyond the number of axes.
    """

    def __init__(
        self,
        dtype: Any = None,
        shape: Any = None,
        ndim: int | None = None,
        max_ndim: int | None = None,
        min_ndim: int | None = None,
        axes: dict[int, int | None] | None = None,
        allow_last_axis_squeeze: bool = False,
        name: str | None = None,
        optional: bool = False,
    ) -> None:
        self.dtype = None if dtype is None else str(jax.numpy.dtype(dtype))
        self.shape = None if shape is None else tuple(shape)
        self.ndim = ndim if self.shape is None else len(self.shape)
        self.max_ndim = max_ndim
        self.min_ndim = min_ndim
        self.axes = _sizes(axes or {}, self.ndim or max_ndim)
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        self.name = name
        self.optional = optional

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal spec."""
        names = ("dtype", "shape", "ndim", "max_ndim", "min_ndim", "axes", "optional")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> InputSpec:
        """The spec with these arguments."""
        return cls(**config)

    def __repr__(self) -> str:
        given = {key: value for key, value in vars(self).items() if value}
        return f"InputSpec({', '.join(f'{key}={value}' for key, value in given.items())})"

    def check(self, layer: Any, value: Any) -> None:
        """Raise a ValueError that names the layer and both shapes if `value` does not fit."""
        if value is None and self.optional:
            return
        shape = tuple(getattr(value, "shape", ()))
        wanted = self._lacks(shape)
        dtype = getattr(value, "dtype", None)
        if wanted is None and self.dtype is not None and str(dtype) != self.dtype:
            wanted = f"type {self.dtype}, not {dtype}"
        if wanted:
            raise ValueError(
                f"Layer {layer.path!r} ({type(layer).__name__}) wants an input with {wanted}; got "
                f"shape {shape}. Reshape the input, or build the layer for this shape."
            )

    def _lacks(self, shape: tuple[int | None, ...]) -> str | None:
        """What such a shape would have to have."""
        squeezes = self.allow_last_axis_squeeze and self.shape is not None
        if self.ndim is not None and len(shape) != self.ndim and not squeezes:
            return f"{self.ndim} axes"
        if self.max_ndim is not None and len(shape) > self.max_ndim:
            return f"at most {self.max_ndim} axes"
        if self.min_ndim is not None and len(shape) < self.min_ndim:
            return f"at least {self.min_ndim} axes"
        for axis, size in self.axes.items():
            if not -len(shape) <= axis < len(shape):
                return f"an axis {axis}"
            if size is not None and shape[axis] not in (None, size):
                return f"size {size} on axis {axis}"
        if self.shape is not None:
            own, given = self.shape, shape
            if squeezes:
                own, given = (s[:-1] if s and s[-1] == 1 else s for s in (own, given))
            if len(own) != len(given) or any(
                None not in pair and pair[0] != pair[1] for pair in zip(own, given)
            ):
                return f"shape {self.shape}"
        return None


def _sizes(axes: dict[Any, int | None], ndim: int | None) -> dict[int, int | None]:
    try:
        found = {int(axis): size for axis, size in axes.items()}
    except (AttributeError, TypeError, ValueError):
        raise TypeError(f"axes must be a dictionary with whole numbers as keys; got {axes}.") from (
            None
        )
    if found and ndim and max(found) >= ndim:
        raise ValueError(f"axes names axis {max(found)}, but there are only {ndim} axes.")
    return found


def check_inputs(layer: Any, spec: Any, inputs: Any) -> None:
    """Check a layer's inputs against its `input_spec`.

    Args:
        layer: the layer, for messages.
        spec: one `InputSpec` for all inputs; or a list, tuple or dictionary, one for each.
        inputs: an array or symbolic tensor, or a nested structure of them.

    Raises:
        ValueError: if one does not fit, or their number differs.
    """
    if isinstance(spec, InputSpec):
        for leaf in jax.tree.leaves(inputs):
            spec.check(layer, leaf)
        return
    if isinstance(spec, dict):
        spec = [_named(part, name) for name, part in spec.items()]
    specs, names = list(spec), [part.name for part in spec]
    if isinstance(inputs, dict) and None not in names:
        missing = [part.name for part in specs if part.name not in inputs and not part.optional]
        if missing:
            raise ValueError(
                f"Layer {layer.path!r} ({type(layer).__name__}) lacks the inputs {missing}; it "
                f"was given {sorted(inputs)}."
            )
        leaves = [inputs.get(name) for name in names]
    else:
        leaves = jax.tree.leaves(inputs, is_leaf=lambda leaf: leaf is None)
    if len(leaves) != len(specs):
        raise ValueError(
            f"Layer {layer.path!r} ({type(layer).__name__}) wants {len(specs)} inputs; got "
            f"{len(leaves)}. Pass them as one list, in the order of its input_spec."
        )
    for part, leaf in zip(specs, leaves):
        part.check(layer, leaf)


def _named(spec: InputSpec, name: str) -> InputSpec:
    spec.name = spec.name or name
    return spec
