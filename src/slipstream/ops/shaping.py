"""Shapes: the same elements in another arrangement."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.operation import Array, Arrays, Index, operation
from slipstream.kernels import joining
from slipstream.ops.define import as_axis, unary

op = operation("numpy")

ravel = unary("ravel", lambda x: jnp.ravel(jnp.asarray(x)), "All elements in one axis.")
fliplr = unary("fliplr", jnp.fliplr, "Axis 1 in reverse order.")
flipud = unary("flipud", jnp.flipud, "Axis 0 in reverse order.")


@op
def reshape(x: Array, newshape: Any) -> Any:
    """The same elements in another shape; one size may be -1 (or None) and follows."""
    sizes = newshape if isinstance(newshape, (tuple, list)) else (newshape,)
    return jnp.reshape(jnp.asarray(x), [-1 if size is None else size for size in sizes])


@op
def squeeze(x: Array, axis: Any = None) -> Any:
    """Without the axes of size 1, or without those named."""
    return jnp.squeeze(jnp.asarray(x), as_axis(axis))


@op
def expand_dims(x: Array, axis: Any) -> Any:
    """With new axes of size 1 at the places `axis`."""
    return jnp.expand_dims(jnp.asarray(x), as_axis(axis))


@op
def broadcast_to(x: Array, shape: Any) -> Any:
    """Repeated along axes of size 1, and along new first axes, to have `shape`."""
    return jnp.broadcast_to(jnp.asarray(x), tuple(shape))


@op
def transpose(x: Array, axes: Any = None) -> Any:
    """Axes in another order; reversed if none is given."""
    return jnp.transpose(jnp.asarray(x), as_axis(axes))


@op
def swapaxes(x: Array, axis1: int, axis2: int) -> Any:
    """Two axes exchanged."""
    return jnp.swapaxes(jnp.asarray(x), axis1, axis2)


@op
def moveaxis(x: Array, source: Any, destination: Any) -> Any:
    """Axes moved to other places, the rest keeping their order."""
    return jnp.moveaxis(jnp.asarray(x), as_axis(source), as_axis(destination))


@op
def flip(x: Array, axis: Any = None) -> Any:
    """Axes in reverse order; all if none is given."""
    return jnp.flip(jnp.asarray(x), as_axis(axis))


@op
def rot90(array: Array, k: int = 1, axes: Any = (0, 1)) -> Any:
    """Turned `k` times by 90 degrees, from the first of `axes` towards the second."""
    return jnp.rot90(jnp.asarray(array), k, tuple(axes))


@op
def roll(x: Array, shift: Any, axis: Any = None) -> Any:
    """Elements moved on by `shift`; what leaves at the end comes in at the start."""
    return jnp.roll(jnp.asarray(x), as_axis(shift), as_axis(axis))


@op
def repeat(x: Array, repeats: Any, axis: int | None = None) -> Any:
    """Each element `repeats` times, along `axis` or of the flat array."""
    if isinstance(repeats, (list, tuple)):
        repeats = np.asarray(repeats)
    return jnp.repeat(jnp.asarray(x), repeats, axis)


@op
def tile(x: Array, repeats: Any) -> Any:
    """The whole array `repeats` times along each axis."""
    return jnp.tile(jnp.asarray(x), repeats)


@operation("numpy", named=["constant_values"])
def pad(x: Array, pad_width: Any, mode: str = "constant", constant_values: Index = None) -> Any:
    """With more elements at both ends of each axis.

    Args:
        pad_width: ``((before, after), …)`` for each axis, one pair for all, or one number.
        mode: where they come from, as in ``numpy.pad``.
        constant_values: the value in mode ``"constant"``, 0 unless given.

    Raises:
        ValueError: if there is a value but the mode is another.
    """
    x = jnp.asarray(x)
    if constant_values is None:
        return jnp.pad(x, pad_width, mode)
    if mode != "constant":
        raise ValueError(
            f"pad: constant_values={constant_values!r} has no meaning in mode {mode!r}. "
            "Leave it out, or use mode='constant'."
        )
    return jnp.pad(x, pad_width, mode, constant_values=constant_values)


@op
def concatenate(xs: Arrays, axis: int = 0) -> Any:
    """Arrays joined along an axis they have."""
    return joining.concatenate(xs, axis)


@op
def stack(x: Arrays, axis: int = 0) -> Any:
    """Arrays of one shape joined along a new axis."""
    return jnp.stack(x, axis)


@op
def hstack(xs: Arrays) -> Any:
    """Arrays joined along axis 1, or axis 0 where there is no other."""
    return jnp.hstack(xs)


@op
def vstack(xs: Arrays) -> Any:
    """Arrays joined as rows."""
    return jnp.vstack(xs)


@op
def dstack(xs: Arrays) -> Any:
    """Arrays joined along axis 2."""
    return jnp.dstack(xs)


@op
def append(x1: Array, x2: Array, axis: int | None = None) -> Any:
    """`x2` behind `x1`, along `axis` or both flat."""
    return jnp.append(jnp.asarray(x1), jnp.asarray(x2), axis)


@operation("core")
def unstack(x: Array, num: int | None = None, axis: int = 0) -> Any:
    """The parts along an axis, that axis gone, as a list.

    Args:
        num: their number, where the shape does not say it.
    """
    x = jnp.asarray(x)
    return [jnp.squeeze(part, axis) for part in jnp.split(x, num or x.shape[axis], axis)]


@op
def split(x: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    """Equal parts, or parts that begin at the given places, as a list."""
    return jnp.split(jnp.asarray(x), as_axis(indices_or_sections), axis)


@op
def array_split(x: Array, indices_or_sections: Any, axis: int = 0) -> Any:
    """Parts as equal as possible, as a list."""
    return jnp.array_split(jnp.asarray(x), as_axis(indices_or_sections), axis)


@op
def hsplit(x: Array, indices_or_sections: Any) -> Any:
    """`split` along axis 1, or axis 0 where there is no other."""
    return jnp.hsplit(jnp.asarray(x), as_axis(indices_or_sections))


@op
def vsplit(x: Array, indices_or_sections: Any) -> Any:
    """`split` along axis 0."""
    return jnp.vsplit(jnp.asarray(x), as_axis(indices_or_sections))


@op
def dsplit(x: Array, indices_or_sections: Any) -> Any:
    """`split` along axis 2."""
    return jnp.dsplit(jnp.asarray(x), as_axis(indices_or_sections))


@op
def meshgrid(*x: Array, indexing: str = "xy") -> Any:
    """The coordinates of every point of a grid, one array for each axis."""
    return jnp.meshgrid(*x, indexing=indexing)
