"""What users hand over (NumPy, pandas, torch, tf, lists …) as arrays of few plain types."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from slipstream.core import config
from slipstream.data.streams.columns import from_arrow


def to_array(value: Any, what: str) -> Any:
    """One array of the user's as a NumPy array (a jax array stays where it is).

    Floats of 64 bits become `floatx()`, whole numbers of 64 bits become int32.

    Args:
        value: anything with an array interface, a table or column of pandas, polars, pyarrow or
            Hugging Face, or nested lists of numbers.
        what: what it is called in an error, ``"x"`` for instance.

    Raises:
        TypeError: if it holds text or objects.
        ValueError: if it is ragged, or has whole numbers beyond int32.
    """
    if isinstance(value, jax.Array):
        return value
    if not isinstance(value, np.ndarray):
        value = _from_elsewhere(value, what)
    kind = value.dtype.kind
    if kind in "OSUMmc" or value.dtype.names:
        if kind == "O":
            plain = _from_objects(value)
            if plain is not None:
                return to_array(plain, what)
        raise TypeError(
            f"{what} has the type {value.dtype}, and a network computes on numbers only. "
            "Convert text, dates and categories to numbers first, for example with "
            "pandas.get_dummies or a column's .cat.codes."
        )
    if value.dtype == np.float64:
        return value.astype(config.floatx())
    if kind in "iu" and value.dtype.itemsize == 8:
        if value.size and (value.max() > 2**31 - 1 or value.min() < -(2**31)):
            raise ValueError(
                f"{what} has whole numbers beyond 32 bits (up to {value.max()}). Pass it as "
                "floats, or map the numbers to a smaller range."
            )
        return value.astype(np.int32)
    return value


def _from_elsewhere(value: Any, what: str) -> np.ndarray:
    if hasattr(value, "iloc"):  # pandas: a series is one column
        array = value.to_numpy()
        return array[:, None] if array.ndim == 1 else array
    library = type(value).__module__.split(".")[0]
    if library == "polars":
        array = value.to_numpy()
        return array[:, None] if array.ndim == 1 else array
    if library in ("pyarrow", "datasets"):
        return _from_arrow(value, what)
    if hasattr(value, "detach"):  # torch, also on a device or with a gradient
        value = value.detach().cpu()
    if hasattr(value, "toarray"):  # scipy.sparse
        return value.toarray()
    try:
        return np.asarray(value)
    except ValueError as error:
        raise ValueError(
            f"{what} is ragged: its rows differ in length. Pad them to one length first."
        ) from error


def _from_arrow(value: Any, what: str) -> np.ndarray:
    """A table ``(rows, columns)`` or a column ``(rows, 1)`` of pyarrow, or one of Hugging Face."""
    if hasattr(value, "with_format"):
        value = value.with_format("arrow")[:]
    if hasattr(value, "column_names") or hasattr(value, "columns"):
        columns = [from_arrow(value[name], name) for name in value.schema.names]
    elif hasattr(value, "null_count"):
        columns = [from_arrow(value, what)]
    else:
        raise TypeError(
            f"{what} is {type(value)}. Pass slipstream.data.read(…, target=…) of it, which gives "
            "batches."
        )
    if len(columns) == 1 and columns[0].ndim > 1:
        return columns[0]
    return np.column_stack(columns)


def _from_objects(value: np.ndarray) -> np.ndarray | None:
    """Columns of mixed number types come from pandas as objects; text does not convert."""
    if any(isinstance(item, (str, bytes)) for item in value.ravel()[:1000]):
        return None
    try:
        return value.astype(np.float64)
    except (TypeError, ValueError):
        return None


def is_leaf(value: Any) -> bool:
    """Whether `value` is one array rather than a structure of several."""
    if isinstance(value, (list, tuple)):
        return bool(value) and _numeric(value)
    return not isinstance(value, dict)


def _numeric(value: Any) -> bool:
    while isinstance(value, (list, tuple)) and value:
        value = value[0]
    return isinstance(value, (int, float, bool, np.number))


def to_arrays(tree: Any, what: str) -> Any:
    """`to_array` on each array of a nested structure (dict, list or tuple), or None."""
    if tree is None:
        return None
    if is_leaf(tree):
        return to_array(tree, what)
    if isinstance(tree, dict):
        return {key: to_arrays(value, f"{what}[{key!r}]") for key, value in tree.items()}
    return type(tree)([to_arrays(value, f"{what}[{i}]") for i, value in enumerate(tree)])


def length(tree: Any, what: str = "x") -> int:
    """Common number of rows of all arrays in a structure.

    Raises:
        ValueError: if they differ, if there are none, or an array has no axis.
    """
    sizes = {}
    for path, leaf in jax.tree.flatten_with_path(tree)[0]:
        name = what + jax.tree_util.keystr(path)
        if not np.ndim(leaf):
            raise ValueError(f"{name} is a single number; it needs a first axis of examples.")
        sizes[name] = leaf.shape[0]
    if not sizes:
        raise ValueError(f"{what} holds no array.")
    if len(set(sizes.values())) > 1:
        listed = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise ValueError(
            f"The arrays differ in their number of examples ({listed}). Each needs one row per "
            "example."
        )
    return next(iter(sizes.values()))
