"""Tables: a CSV or Parquet file with a target column, as numbers."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.cli import target as targets
from slipstream.cli.columns import TableFeatures, is_bool, is_number
from slipstream.cli.problem import Problem
from slipstream.cli.rows import Rows
from slipstream.core.names import nearest

_USUAL = ("target", "label", "class", "y")
_EXTRA = "pip install 'slipstream[tables]'"


def read(path: Path, target: str | None, task: str, drop: list[str]) -> Rows:
    """The rows of a table.

    Raises:
        Problem: if the file cannot be read, has no rows, or lacks a column that is asked for.
    """
    return prepare(_read_frame(path), path.name, target, task, drop)


def prepare(frame: Any, title: str, target: str | None, task: str, drop: list[str]) -> Rows:
    """The rows of a data frame; `title` is what it is called."""
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    columns = list(frame.columns)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise Problem(f"{title} has several columns named {twice!r}. Rename them.")
    if not len(frame):
        raise Problem(f"{title} has no rows below its header.")
    target = _choose(target, columns, title)
    for name in drop:
        if name not in columns:
            raise Problem(f"There is no column {name!r} to drop. {nearest(name, columns)}")
        if name == target:
            raise Problem(f"Column {name!r} is the target and cannot be dropped.")
    wanted = targets.read(_plain(frame[target]), f"target column {target!r}", task)
    frame = frame.drop(columns=[target, *drop])
    frame, notes = _screen(frame, wanted)
    if not len(frame.columns):
        raise Problem(f"{title} has no column to learn from besides {target!r}.")
    return Rows(
        title,
        f"{len(frame):,} rows, {len(frame.columns)} columns, target {target!r}",
        TableFeatures(frame),
        wanted,
        notes=notes,
    )


def _read_frame(path: Path) -> Any:
    try:
        import pandas as pd
    except ImportError as error:
        raise Problem(f"Tables are read with pandas, which is missing. Run: {_EXTRA}") from error
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return pd.read_csv(path, sep=_separator(path), low_memory=False)
    except ImportError as error:
        raise Problem(f"Parquet is read with pyarrow, which is missing. Run: {_EXTRA}") from error
    except pd.errors.EmptyDataError as error:
        raise Problem(f"{path.name} is empty.") from error
    except UnicodeDecodeError as error:
        raise Problem(f"{path.name} is no UTF-8 text (byte {error.start}). Convert it.") from error
    except (ValueError, OSError, EOFError, zlib.error) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise Problem(f"{path.name} cannot be read: {reason}") from error


def _separator(path: Path) -> str:
    """The sign between the columns: whichever of ``, ; tab`` the header has most of."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8", errors="replace") as file:
        header = file.readline()
    return max(",;\t", key=header.count)


def _choose(target: str | None, columns: list[str], title: str) -> str:
    if target is None:
        usual = [column for column in columns if column.lower() in _USUAL]
        if len(usual) == 1:
            return usual[0]
        shown = ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")
        raise Problem(f"Which column of {title} is to be predicted? Pass --target; it has: {shown}")
    if target not in columns:
        raise Problem(f"{title} has no column {target!r}. {nearest(target, columns)}")
    return target


def _plain(column: Any) -> np.ndarray:
    """A column as numbers (gaps NaN) or as objects (gaps None)."""
    if is_number(column) and not is_bool(column):
        if column.isna().any() or column.dtype.kind == "f":
            return column.to_numpy(np.float64, na_value=np.nan)
        return column.to_numpy(np.int64 if column.dtype.kind != "u" else np.uint64)
    values = column.astype(object).to_numpy(copy=True)
    values[column.isna().to_numpy()] = None
    return values


def _screen(frame: Any, wanted: targets.Target) -> tuple[Any, list[str]]:
    """The columns worth learning from, and what is said about the others."""
    notes, out = [], []
    for name in frame.columns:
        frame[name], texts = _mostly_numbers(frame[name])
        if texts:
            notes.append(f"Column {name!r}: {texts} count as missing among its numbers.")
        reason = _useless(frame[name])
        if reason:
            notes.append(f"Column {name!r} {reason}: left out.")
            out.append(name)
        elif _tells_all(frame[name], wanted):
            notes.append(
                f"Column {name!r} equals the target, so the result means little. "
                f"Leave it out with --drop {name!r}."
            )
    return frame.drop(columns=out), notes


def _mostly_numbers(column: Any) -> tuple[Any, str]:
    """A text column as numbers and its other texts, where at least nine in ten are numbers."""
    import pandas as pd

    if not (pd.api.types.is_string_dtype(column) or column.dtype == object):
        return column, ""
    known = column.dropna()
    numbers = pd.to_numeric(column, errors="coerce")
    odd = known[numbers[known.index].isna()].astype(str)
    if not len(known) or len(odd) > len(known) / 10 or is_bool(numbers):
        return column, ""
    return numbers, ", ".join(repr(text) for text in sorted(set(odd))[:4])


def _useless(column: Any) -> str:
    """Why nothing can be learned from a column, or nothing that holds for other rows."""
    import pandas as pd

    types = pd.api.types
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        return "holds dates, which are no numbers yet"
    if column.isna().all():
        return "is empty"
    try:
        distinct = column.nunique(dropna=False)
    except TypeError:
        return "holds lists or other objects"
    if distinct == 1:
        return f"is always {column.iloc[0]!s:.40}"
    if types.is_integer_dtype(column) and _counts(column):
        return "counts the rows"
    if not is_number(column) and column.nunique() == column.count() > targets.MOST_CLASSES:
        return "has another value in every row"
    return ""


def _counts(column: Any) -> bool:
    if column.isna().any() or len(column) < 3:
        return False
    return np.array_equal(column.to_numpy() - column.iloc[0], np.arange(len(column)))


def _tells_all(column: Any, wanted: targets.Target) -> bool:
    """Whether a column says the same as the target, perhaps in other words."""
    import pandas as pd

    if column.isna().any():
        return False
    if wanted.classes is None:
        return is_number(column) and np.allclose(
            column.to_numpy(np.float32), wanted.y, rtol=1e-6, atol=0
        )
    return np.array_equal(pd.factorize(column)[0], pd.factorize(wanted.y)[0])
