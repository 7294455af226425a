"""Columns of tables as NumPy arrays, and as the inputs and targets of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from slipstream.core import config

Columns = dict[str, np.ndarray]


def arrow() -> Any:
    """The library pyarrow.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            "Reading tables needs pyarrow. Install it with: pip install 'slipstream[tables]'"
        ) from error
    return pyarrow


def from_arrow(column: Any, name: str = "column") -> np.ndarray:
    """A column of an Arrow table as an array with a row for each of its rows.

    Numbers that are missing become NaN, and missing text None; text comes as Python strings,
    categories as their text, and lists of one length as an axis of their own.

    Raises:
        ValueError: if lists differ in length or are missing.
        TypeError: if it holds records or other things that are no array.
    """
    pa = arrow()
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    kind, types = column.type, pa.types
    if isinstance(kind, pa.FixedShapeTensorType):
        return column.to_numpy_ndarray()
    if isinstance(kind, pa.BaseExtensionType):
        return from_arrow(column.storage, name)
    if types.is_dictionary(kind):
        return from_arrow(column.cast(kind.value_type), name)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _from_lists(column, name)
    if types.is_struct(kind) or types.is_map(kind) or types.is_union(kind):
        raise TypeError(f"{name!r} holds records ({kind}). Flatten the table first.")
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_decimal(kind):
        column = column.cast(pa.float64())
    elif types.is_boolean(kind) and column.null_count:
        column = column.cast(pa.uint8())
    return column.to_numpy(zero_copy_only=False)


def _from_lists(column: Any, name: str) -> np.ndarray:
    if column.null_count:
        raise ValueError(f"{name!r} has rows without a list. Fill them, or drop those rows.")
    inner = from_arrow(column.flatten(), name)
    size = len(inner) // max(len(column), 1)
    lengths = np.asarray(column.value_lengths())
    if (lengths != size).any():
        raise ValueError(
            f"{name!r} has lists of {lengths.min()} to {lengths.max()} entries. Pad them to one "
            "length first."
        )
    return inner.reshape(len(column), size, *inner.shape[1:])


def kind_of(type_: Any) -> str:
    """``"whole"`` or ``"real"`` for numbers of an Arrow type, ``"other"`` for the rest."""
    types = arrow().types
    if types.is_integer(type_) or types.is_boolean(type_):
        return "whole"
    if types.is_floating(type_) or types.is_decimal(type_) or types.is_null(type_):
        return "real"
    return "other"


@dataclass(frozen=True)
class Shape:
    """How the columns of a piece become inputs and targets.

    Attributes:
        inputs, targets: names of the columns.
        form: ``"one"`` array of all inputs side by side, ``"single"`` for an input as it is, or
            ``"dict"``.
        single_target: whether there is one target, and so no axis of targets.
        reals: columns of whole numbers that are read as real ones, as some are missing.
        floatx: type of real numbers.
    """

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    form: str
    single_target: bool
    reals: frozenset[str]
    floatx: str

    @property
    def names(self) -> list[str]:
        """All columns that are read."""
        return list(dict.fromkeys([*self.inputs, *self.targets]))

    def __call__(self, columns: Columns) -> Any:
        """``x`` or ``(x, y)`` of columns."""
        x: Any
        if self.form == "one":
            x = self._side_by_side(columns, self.inputs)
        elif self.form == "single":
            x = self._array(columns, self.inputs[0])
        else:
            x = {name: self._array(columns, name) for name in self.inputs}
        if not self.targets:
            return x
        if self.single_target:
            return x, self._array(columns, self.targets[0])
        return x, self._side_by_side(columns, self.targets)

    def _side_by_side(self, columns: Columns, names: Sequence[str]) -> np.ndarray:
        rows = len(columns[names[0]])
        table = np.empty((rows, len(names)), self.floatx)
        for place, name in enumerate(names):
            if columns[name].dtype.kind not in "biuf":
                raise TypeError(f"{name!r} is no column of numbers: {columns[name].dtype}.")
            table[:, place] = columns[name]
        return table

    def _array(self, columns: Columns, name: str) -> np.ndarray:
        array = columns[name]
        if array.dtype.kind == "f" or name in self.reals:
            return array.astype(self.floatx, copy=False)
        return array


def make_shape(
    kinds: dict[str, str],
    target: str | Sequence[str] | None,
    columns: str | Sequence[str] | None,
    as_dict: bool | None,
    tabular: bool,
) -> Shape:
    """The shape of batches for what a user asks for.

    Args:
        kinds: the columns there are, see `kind_of`.
        target: the column, or columns, to predict.
        columns: those that are inputs; all but the target if not given. A single name stands for
            the column itself.
        as_dict: whether inputs are a dictionary; if they are not all numbers, when not given.
        tabular: whether columns hold single values, which may stand side by side in one array.

    Raises:
        ValueError: if a column is unknown, is input and target, or there is no input.
        TypeError: if one array is asked for and columns are no numbers.
    """
    targets = _names(target)
    for argument, names in (("target", targets), ("columns", _names(columns))):
        for name in names:
            if name not in kinds:
                raise ValueError(f"{argument}: there is no column {name!r}. {_hint(name, kinds)}")
    inputs = tuple(kinds) if columns is None else _names(columns)
    if columns is None:
        inputs = tuple(name for name in inputs if name not in targets)
    both = [name for name in inputs if name in targets]
    if both:
        raise ValueError(f"{both[0]!r} is among columns and target. Leave it out of columns.")
    if not inputs:
        raise ValueError(f"No column is left as input; there are {list(kinds)}. Name some.")
    odd = [name for name in inputs if kinds[name] == "other"]
    if isinstance(columns, str) or (not tabular and len(inputs) == 1 and not as_dict):
        form = "single"
    elif as_dict or (as_dict is None and (odd or not tabular)):
        form = "dict"
    elif odd:
        raise TypeError(
            f"as_dict=False wants columns of numbers, and {odd[0]!r} is none. Leave as_dict=… out "
            "for a dictionary, or name the columns of numbers in columns=…"
        )
    else:
        form = "one"
    single = isinstance(target, str)
    return Shape(inputs, targets, form, single, frozenset(), config.floatx())


def _names(names: str | Sequence[str] | None) -> tuple[str, ...]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _hint(name: str, known: dict[str, str]) -> str:
    close = get_close_matches(name, known, 1)
    shown = ", ".join(map(repr, list(known)[:20]))
    return f"Did you mean {close[0]!r}?" if close else f"There are: {shown}."
