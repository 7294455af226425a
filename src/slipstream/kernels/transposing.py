"""The axes of an array in another order.

XLA copies number after number, from places that lie a row apart. Where the new order exchanges two
runs of axes, the CPU has a form of its own, which turns small squares around in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.interpreters import ad

from slipstream.kernels import forms, native

_LEAST, _FEWEST = 2**14, 8  # numbers in all, and rows and columns of a matrix


def transposed(x: Any, axes: Sequence[int]) -> Any:
    """`x` with its axes in another order, as `jnp.transpose`.

    Args:
        x: array of any type.
        axes: the old place of each new axis.
    """
    shape = tuple(x.shape[axis] for axis in axes)
    found = _as_matrices(x.shape, [axis for axis in axes if x.shape[axis] != 1])
    if found is None:
        return jnp.transpose(x, axes)
    return _transpose.bind(x.reshape(found)).reshape(shape)


def _as_matrices(shape: Sequence[int], axes: list[int]) -> tuple[int, int, int] | None:
    """``(matrices, rows, columns)`` if in the new order rows and columns have changed places.

    Args:
        shape: of the array.
        axes: the old place of each new axis, those of size 1 left out.
    """
    old = sorted(axes)
    kept = next((i for i, axis in enumerate(axes) if axis != old[i]), len(axes))
    rest = axes[kept:]
    cut = rest.index(old[kept]) if rest else 0
    if not rest or rest[cut:] + rest[:cut] != old[kept:]:
        return None
    sizes = [prod(shape[axis] for axis in some) for some in (axes[:kept], rest[cut:], rest[:cut])]
    return sizes[0], sizes[1], sizes[2]


def _reference(x: Any) -> Any:
    return jnp.swapaxes(x, 1, 2)


def _compiled(x: Any) -> Any:
    count, rows, columns = x.shape
    return native.call("transpose", jax.ShapeDtypeStruct((count, columns, rows), x.dtype), x)


def _fits(x: Any) -> bool:
    return x.dtype == "float32" and x.size >= _LEAST and min(x.shape[1:]) >= _FEWEST


_transpose = forms.operation("matrix_transpose", _reference, _compiled, _fits, quick=True)
ad.deflinear2(_transpose, lambda dy, x: (_transpose.bind(dy),))
