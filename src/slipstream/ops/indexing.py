"""Parts of arrays, and arrays with parts replaced."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, Arrays, Index, operation

op = operation("numpy")


@op
def get_item(x: Array, key: Index) -> Any:
    """``x[key]``; a list counts as a tuple, as saved graphs know no tuples."""
    return jnp.asarray(x)[tuple(key) if isinstance(key, list) else key]


@op
def take(x: Array, indices: Array, axis: int | None = None) -> Any:
    """Elements at the given places along `axis`, or of the flat array."""
    return jnp.take(jnp.asarray(x), jnp.asarray(indices), axis)


@op
def take_along_axis(x: Array, indices: Array, axis: int | None = None) -> Any:
    """For each element of `indices`, the one at that place of its own row along `axis`."""
    return jnp.take_along_axis(jnp.asarray(x), jnp.asarray(indices), axis)


@op
def where(condition: Array, x1: Array | None = None, x2: Array | None = None) -> Any:
    """`x1` where the condition holds, `x2` elsewhere.

    With the condition alone, the places where it holds, as `nonzero` gives them.
    """
    if x1 is None or x2 is None:
        if x1 is not x2:
            raise ValueError("where: give both x1 and x2, or neither.")
        return jnp.where(condition)
    return jnp.where(condition, x1, x2)


@op
def select(condlist: Arrays, choicelist: Arrays, default: Index = 0) -> Any:
    """Of each place, the choice of the first condition that holds there, or `default`."""
    conditions = [jnp.asarray(condition, bool) for condition in condlist]
    return jnp.select(conditions, [jnp.asarray(choice) for choice in choicelist], default)


@op
def nonzero(x: Array) -> Any:
    """Places of the elements that are not 0: an array of indices for each axis.

    Their number depends on the values, so this works on arrays alone, outside of programs.
    """
    return jnp.nonzero(x)


@op
def unravel_index(indices: Array, shape: Any) -> Any:
    """Indices into the flat array as one array of indices for each axis of `shape`."""
    return jnp.unravel_index(jnp.asarray(indices), tuple(shape))


core = operation("core")


@core
def slice(inputs: Array, start_indices: Array, shape: Any) -> Any:
    """The part of the given shape that begins at `start_indices`."""
    return jax.lax.dynamic_slice(jnp.asarray(inputs), _starts(start_indices), tuple(shape))


@core
def slice_update(inputs: Array, start_indices: Array, updates: Array) -> Any:
    """`inputs` with `updates` written over the part that begins at `start_indices`."""
    inputs = jnp.asarray(inputs)
    updates = jnp.asarray(updates, inputs.dtype)
    return jax.lax.dynamic_update_slice(inputs, updates, _starts(start_indices))


def _starts(start_indices: Any) -> list[Any]:
    starts = jnp.asarray(start_indices)
    return [starts[i] for i in range(starts.shape[0])]


@core
def scatter(indices: Array, values: Array, shape: Any) -> Any:
    """Zeros of the given shape, with `values` added at `indices`.

    Args:
        indices: ``(…, depth)``, positions along the first `depth` axes of `shape`.
        values: ``(…, *shape[depth:])``.
    """
    values = jnp.asarray(values)
    return jnp.zeros(tuple(shape), values.dtype).at[_positions(indices)].add(values)


@core
def scatter_update(
    inputs: Array, indices: Array, updates: Array, reduction: str | None = None
) -> Any:
    """`inputs` with `updates` written at `indices`, or combined with what is there.

    Args:
        indices: ``(…, depth)``, positions along the first `depth` axes.
        updates: ``(…, *inputs.shape[depth:])``.
        reduction: None to replace, or ``add``, ``max``, ``min`` or ``mul``.

    Raises:
        ValueError: for another reduction.
    """
    inputs = jnp.asarray(inputs)
    if reduction not in (None, "add", "max", "min", "mul"):
        raise ValueError(
            f"scatter_update: reduction must be None, 'add', 'max', 'min' or 'mul'; "
            f"got {reduction!r}."
        )
    place = inputs.at[_positions(indices)]
    return getattr(place, reduction or "set")(jnp.asarray(updates, inputs.dtype))


def _positions(indices: Any) -> tuple:
    indices = jnp.asarray(indices)
    return tuple(indices[..., i] for i in range(indices.shape[-1]))
