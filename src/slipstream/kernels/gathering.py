"""Rows of a table, picked by their numbers."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from slipstream.kernels import forms, native

_LEAST = 2**15  # bytes; fewer are sooner picked by XLA than by a call


def take_rows(table: Any, places: Any) -> Any:
    """Rows ``(…, row)`` of a table ``(rows, row)`` of any type; a row may have axes, or none.

    Args:
        places: int32 ``(…)``, each from 0 to the number of rows.
    """
    return _take_rows.bind(table, places)


def _picked(table: Any, places: Any) -> Any:
    return table.at[places].get(mode="promise_in_bounds")


def compiled(table: Any, places: Any) -> Any:
    """The compiled form; places below 0 count from the end, rows of floats beyond it are NaN."""
    result = jax.ShapeDtypeStruct((*places.shape, *table.shape[1:]), table.dtype)
    return native.call("take_rows", result, table, places)


def fits(table: Any, places: Any) -> bool:
    """Whether the compiled form can pick these rows, and is quicker."""
    if places.dtype != np.int32 or str(table.dtype) not in _TYPES or table.size == 0:
        return False
    taken = places.size * (table.size // table.shape[0]) * np.dtype(table.dtype).itemsize
    return taken >= _LEAST


_TYPES = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
_TYPES |= {"bool", "bfloat16", "float16", "float32", "float64"}
_take_rows = forms.operation("take_rows", _picked, compiled, fits)
