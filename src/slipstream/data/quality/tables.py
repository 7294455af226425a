"""What users hand over as tables of numbers that can be looked through column by column."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from slipstream.data.arrays import is_leaf, to_array
from slipstream.data.sources import is_batches


@dataclass
class Table:
    """Columns of one kind.

    Attributes:
        names: of the columns.
        values: ``(rows, columns)``; texts as codes, int32.
        numbers: whether the values are quantities rather than codes.
        picture: whether the columns are places in one picture or recording, so that a column by
            itself means little.
    """

    names: Sequence[str]
    values: np.ndarray
    numbers: bool = True
    picture: bool = False


class Reader:
    """Turns data into tables; equal texts get equal codes in all that one reader reads.

    Args:
        names: of the columns of a single array, or None.
    """

    def __init__(self, names: Sequence[str] | None = None) -> None:
        self.names = names
        self._codes: dict[str, dict[Any, int]] = {}

    def tables(self, data: Any, what: str) -> list[Table]:
        """The tables of a structure of arrays and frames.

        Raises:
            TypeError: for batches, and for arrays that hold no numbers or texts.
            ValueError: if there are no rows.
        """
        if is_batches(data):
            raise TypeError(
                f"{what} comes in batches, and a check looks at all rows at once. Pass arrays or a "
                "frame, or some batches put together with np.concatenate."
            )
        found = list(self._walk(data, what, ""))
        if not found or any(not len(table.values) for table in found):
            raise ValueError(f"{what} has no rows.")
        return found

    def _walk(self, data: Any, what: str, prefix: str) -> Iterator[Table]:
        if hasattr(data, "columns") and hasattr(data, "__getitem__"):
            # The columns of pyarrow are no names.
            arrow = type(data).__module__.startswith("pyarrow")
            names = data.column_names if arrow else data.columns
            yield from self._frame({str(name): data[name] for name in names}, prefix)
        elif isinstance(data, dict):
            for key, value in data.items():
                yield from self._walk(value, f"{what}[{key!r}]", f"{prefix}{key} ")
        elif isinstance(data, (list, tuple)) and not is_leaf(data) and not _texts(data):
            for i, value in enumerate(data):
                yield from self._walk(value, f"{what}[{i}]", f"{prefix}{i} ")
        else:
            yield from self._array(data, what, prefix)

    def _frame(self, columns: dict[str, Any], prefix: str) -> Iterator[Table]:
        numbers: dict[str, np.ndarray] = {}
        codes: dict[str, np.ndarray] = {}
        for name, column in columns.items():
            values = np.asarray(column)
            if values.dtype.kind == "O":
                plain = _as_numbers(values)  # nullable numbers of pandas
                values = values if plain is None else plain
            if values.dtype.kind in "biuf":
                numbers[prefix + name] = values.astype(np.float32)
            elif values.dtype.kind in "Mm":
                numbers[prefix + name] = _times(values)
            else:
                codes[prefix + name] = self._coded(prefix + name, values)
        for kind, found in ((True, numbers), (False, codes)):
            if found:
                yield Table(list(found), np.stack(list(found.values()), 1), kind)

    def _array(self, data: Any, what: str, prefix: str) -> Iterator[Table]:
        values = data if isinstance(data, np.ndarray) else np.asarray(_host(data, what))
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim < 2:
            raise ValueError(f"{what} is a single number; it needs a first axis of examples.")
        if values.dtype.kind in "OUST" and values.ndim == 2:
            if (plain := _as_numbers(values)) is None:
                names = self._names(values.shape[1], prefix)
                columns = [self._coded(name, values[:, i]) for i, name in enumerate(names)]
                yield Table(names, np.stack(columns, 1), numbers=False)
                return
            values = plain
        if values.dtype.name == "bfloat16":
            values = values.astype(np.float32)
        if values.dtype.kind not in "biuf":
            raise TypeError(f"{what} has the type {values.dtype}; a check takes numbers and texts.")
        if values.dtype.kind == "f" and values.dtype != np.float32:
            with np.errstate(over="ignore"):  # told as infinite
                values = values.astype(np.float32)
        flat = np.ascontiguousarray(values).reshape(len(values), math.prod(values.shape[1:]))
        yield Table(self._names(flat.shape[1], prefix), flat, picture=values.ndim > 2)

    def _names(self, count: int, prefix: str) -> Sequence[str]:
        if self.names is not None and not prefix and len(self.names) == count:
            return [str(name) for name in self.names]
        return Numbered(f"{prefix}column ", count)

    def _coded(self, name: str, values: np.ndarray) -> np.ndarray:
        """A number for each text; -1 where there is none."""
        codes = self._codes.setdefault(name, {})
        items = values.tolist()
        for item in dict.fromkeys(items):
            if not _absent(item):
                codes.setdefault(item, len(codes))
        return np.array([codes.get(item, -1) for item in items], np.int32)


class Numbered(Sequence[str]):
    """Names by number, made when they are asked for."""

    def __init__(self, prefix: str, size: int) -> None:
        self.prefix, self.size = prefix, size

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, place: Any) -> Any:
        return f"{self.prefix}{range(self.size)[place]}"


def _host(data: Any, what: str) -> Any:
    if isinstance(data, (list, tuple)):
        return np.asarray(data)
    return data if isinstance(data, jax.Array) or hasattr(data, "iloc") else to_array(data, what)


def _texts(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (str, bytes))


def _absent(item: Any) -> bool:
    return item is None or item != item or str(item) in ("<NA>", "NaT")


def _as_numbers(values: np.ndarray) -> np.ndarray | None:
    """Objects that are all numbers, or missing, as floats; None if there is anything else."""
    if values.dtype.kind != "O":
        return None
    if not all(
        isinstance(item, (int, float, np.number, np.bool_)) or _absent(item)
        for item in values.ravel().tolist()
    ):
        return None
    found = [np.nan if _absent(item) else float(item) for item in values.ravel().tolist()]
    return np.asarray(found, np.float32).reshape(values.shape)


def _times(values: np.ndarray) -> np.ndarray:
    return np.where(np.isnat(values), np.nan, values.astype(np.int64)).astype(np.float32)
