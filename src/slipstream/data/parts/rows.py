"""Rows of whatever a user hands over: how many there are, and some of them in the same form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


def is_column(value: Any) -> bool:
    """Whether a list holds one entry a row, rather than being a structure of arrays."""
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return value is None or isinstance(value, (str, bytes, int, float, bool, np.generic))


def columns_of(tree: Any, what: str) -> Iterator[tuple[str, Any]]:
    """Name and value of each array, frame, series or list in a structure."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from columns_of(value, f"{what}[{key!r}]")
    elif isinstance(tree, (list, tuple)) and not is_column(tree):
        for place, value in enumerate(tree):
            yield from columns_of(value, f"{what}[{place}]")
    elif tree is not None:
        yield what, tree


def count_rows(tree: Any, what: str = "x") -> int:
    """Common number of rows of all that is in a structure.

    Raises:
        ValueError: if there is nothing in it, or the numbers differ.
        TypeError: for batches, which have no rows to choose from.
    """
    sizes: dict[str, int] = {}
    for name, value in columns_of(tree, what):
        try:
            sizes[name] = int(value.shape[0]) if hasattr(value, "shape") else len(value)
        except (TypeError, IndexError):
            raise TypeError(
                f"{name} ({type(value).__name__}) has no rows to choose from. Pass arrays, frames, "
                "lists, or dictionaries of them."
            ) from None
    if not sizes:
        raise ValueError(f"{what} holds no array.")
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name}: {size:,}" for name, size in sizes.items())
        raise ValueError(f"The numbers of rows differ ({listed}). Each needs one row per example.")
    return next(iter(sizes.values()))


def same_rows(tree: Any, what: str, rows: int) -> None:
    """Check that a structure has this many rows, if there is one.

    Raises:
        ValueError: if it has others.
    """
    if tree is not None and (found := count_rows(tree, what)) != rows:
        raise ValueError(f"x has {rows:,} rows and {what} {found:,}. Each row of x needs one.")


def pick(tree: Any, rows: np.ndarray) -> Any:
    """The rows of these numbers, in their order, in the form the data came in."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return {key: pick(value, rows) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        if is_column(tree):
            return [tree[row] for row in rows.tolist()]
        parts = [pick(value, rows) for value in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if hasattr(tree, "iloc"):  # pandas
        return tree.iloc[rows]
    if type(tree).__module__.startswith("pyarrow"):
        return tree.take(rows)
    if hasattr(tree, "__getitem__"):  # NumPy, jax, torch, polars, scipy.sparse
        return tree[rows]
    return np.asarray(tree)[rows]


def plain_columns(tree: Any) -> Any:
    """The same structure with tables of pyarrow as dictionaries of arrays."""
    if isinstance(tree, dict):
        return {key: plain_columns(value) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)) and not is_column(tree):
        return [plain_columns(value) for value in tree]
    names = getattr(tree, "column_names", None)
    return tree if names is None else {name: np.asarray(tree[name]) for name in names}


def named_column(x: Any, value: Any, what: str, rows: int) -> np.ndarray:
    """One value a row ``(rows,)``: given as such, or as the name of a column of `x`.

    Raises:
        ValueError: if there is no such column, or not one value a row.
    """
    if isinstance(value, str):
        known: Any = getattr(x, "column_names", None) or getattr(x, "columns", ())
        names = list(x) if isinstance(x, dict) else list(known)
        if value not in names:
            raise ValueError(
                f"{what}={value!r} names no column of x; it has {names or 'none with a name'}."
            )
        value = x[value]
    found = np.asarray(value)
    if found.ndim == 2 and found.shape[1] == 1:
        found = found[:, 0]
    if found.shape != (rows,):
        raise ValueError(
            f"{what} needs one value for each of the {rows:,} rows; got shape {found.shape}."
        )
    return found
