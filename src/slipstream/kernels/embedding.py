"""Looking rows up in a table."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def look_up(table: Any, indices: Any) -> Any:
    """Rows of `table` ``(rows, features)`` at `indices` ``(…)``: ``(…, features)``.

    Negative indices count from the end. An index outside the table gives NaN and no gradient.
    """
    return _look_up(table, indices)[0]


def _reference(table: Any, indices: Any) -> Any:
    return (jnp.take(table, indices, axis=0, mode="fill"),), ()


def _value(table: Any, indices: Any, *, save: bool) -> Any:
    return _reference(table, indices)[0]


def _gradient(arrays: Any, saved: Any, cotangents: Any) -> Any:
    table, indices = arrays
    result = jax.ShapeDtypeStruct(table.shape, table.dtype)
    return (native.call("add_rows", result, indices, *cotangents),)


def _supports(table: Any, indices: Any) -> bool:
    return (
        forms.floats(table)
        and indices.dtype == jnp.int32
        and table.ndim == 2
        and table.size > 0
        and indices.size > 0
    )


_look_up = forms.differentiable("look_up", _reference, _value, _gradient, _supports, 1)
