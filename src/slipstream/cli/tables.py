"""Tables: a CSV or Parquet file with a target column, as numbers."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.cli import target as targets
from slipstream.cli.problem import Problem
from slipstream.cli.rows import Encoded, Rows
from slipstream.core.names import nearest

MOST_CATEGORIES = 50  # of a text column; rarer ones are left at zero
_USUAL = ("target", "label", "class", "y")
_EXTRA = "pip install 'slipstream[tables]'"


def read(path: Path, target: str | None, task: str, drop: list[str]) -> Rows:
    """The rows of a table.

    Raises:
        Problem: if the file cannot be read, has no rows, or lacks a column that is asked for.
    """
    frame = _read_frame(path)
    frame.columns = [str(column) for column in frame.columns]
    columns = list(frame.columns)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise Problem(f"{path.name} has several columns named {twice!r}. Rename them.")
    if not len(frame):
        raise Problem(f"{path.name} has no rows below its header.")
    target = _choose(target, columns, path)
    for name in drop:
        if name not in columns:
            raise Problem(f"There is no column {name!r} to drop. {nearest(name, columns)}")
        if name == target:
            raise Problem(f"Column {name!r} is the target and cannot be dropped.")
    wanted = targets.read(_plain(frame[target]), f"target column {target!r}", task)
    frame = frame.drop(columns=[target, *drop])
    frame, notes = _screen(frame, wanted)
    if not len(frame.columns):
        raise Problem(f"{path.name} has no column to learn from besides {target!r}.")
    return Rows(
        path.name,
        f"{len(frame):,} rows, {len(frame.columns)} columns, target {target!r}",
        TableFeatures(frame),
        wanted,
        notes=notes,
    )


class TableFeatures:
    """Columns of a data frame as numbers.

    Numbers and booleans stay numbers, gaps filled with the training mean; text becomes one column
    a category, 1 where the row has it. Categories that training rows lack are zero everywhere.
    """

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def __len__(self) -> int:
        return len(self.frame)

    def encode(self, train: np.ndarray) -> Encoded:
        """All rows, with means and categories of the rows `train`."""
        blocks: list[np.ndarray] = []
        names: list[str] = []
        notes: list[str] = []
        recipe: list[dict[str, Any]] = []
        filled: list[str] = []
        texts: list[str] = []
        for name in self.frame.columns:
            column = self.frame[name]
            if _is_number(column):
                values, gaps, mean = _numbers(column, name, train)
                blocks.append(values[:, None])
                names.append(name)
                recipe.append({"column": name, "kind": "number", "fill": mean})
                if gaps:
                    filled.append(f"{name} ({gaps:,})")
                continue
            values, categories, rare = _categories(column, train)
            blocks.append(values)
            names += [f"{name}={category}" for category in categories]
            recipe.append({"column": name, "kind": "category", "values": categories})
            texts.append(f"{name} ({len(categories)})")
            if rare:
                notes.append(
                    f"{name}: of its categories the {MOST_CATEGORIES} most frequent count, "
                    f"{rare:,} rarer ones are left at zero."
                )
        if texts:
            notes.insert(0, f"Text was turned into categories: {_some(texts)}.")
        if filled:
            notes.insert(0, f"Missing numbers were filled with the training mean: {_some(filled)}.")
        if not names:
            raise Problem("No column has a value in the training rows: nothing to learn from.")
        return Encoded(np.concatenate(blocks, 1), names, notes, recipe)


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


def _choose(target: str | None, columns: list[str], path: Path) -> str:
    if target is None:
        usual = [column for column in columns if column.lower() in _USUAL]
        if len(usual) == 1:
            return usual[0]
        shown = ", ".join(columns[:12]) + (" …" if len(columns) > 12 else "")
        raise Problem(
            f"Which column of {path.name} is to be predicted? Pass --target; it has: {shown}"
        )
    if target not in columns:
        raise Problem(f"{path.name} has no column {target!r}. {nearest(target, columns)}")
    return target


def _plain(column: Any) -> np.ndarray:
    """A column as numbers (gaps NaN) or as objects (gaps None)."""
    if _is_number(column) and not _is_bool(column):
        if column.isna().any() or column.dtype.kind == "f":
            return column.to_numpy(np.float64, na_value=np.nan)
        return column.to_numpy(np.int64 if column.dtype.kind != "u" else np.uint64)
    values = column.astype(object).to_numpy(copy=True)
    values[column.isna().to_numpy()] = None
    return values


def _screen(frame: Any, wanted: targets.Target) -> tuple[Any, list[str]]:
    """The columns worth learning from, and what is said about the others."""
    import pandas as pd

    notes, out = [], []
    counting = np.arange(len(frame))
    for name in frame.columns:
        column = frame[name]
        distinct = column.nunique(dropna=False)
        if column.isna().all():
            notes.append(f"Column {name!r} is empty: left out.")
        elif distinct == 1:
            notes.append(f"Column {name!r} is always {column.iloc[0]!s:.40}: left out.")
        elif (
            pd.api.types.is_integer_dtype(column)
            and not column.isna().any()
            and (len(frame) > 2 and np.array_equal(column.to_numpy() - column.iloc[0], counting))
        ):
            notes.append(f"Column {name!r} counts the rows: left out.")
        elif not _is_number(column) and column.nunique() == column.count() > targets.MOST_CLASSES:
            notes.append(f"Column {name!r} has another value in every row: left out.")
        else:
            if _tells_all(column, wanted):
                notes.append(
                    f"Column {name!r} equals the target, so the result means little. "
                    f"Leave it out with --drop {name!r}."
                )
            continue
        out.append(name)
    return frame.drop(columns=out), notes


def _tells_all(column: Any, wanted: targets.Target) -> bool:
    """Whether a column says the same as the target, perhaps in other words."""
    import pandas as pd

    if column.isna().any():
        return False
    if wanted.classes is None:
        return _is_number(column) and np.allclose(
            column.to_numpy(np.float32), wanted.y, rtol=1e-6, atol=0
        )
    return np.array_equal(pd.factorize(column)[0], pd.factorize(wanted.y)[0])


def _is_bool(column: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_bool_dtype(column)


def _is_number(column: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _numbers(column: Any, name: str, train: np.ndarray) -> tuple[np.ndarray, int, float]:
    """A column as float32 without gaps, how many there were, and what they were filled with."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    if np.any(np.abs(values) > np.finfo(np.float32).max):
        row = int(np.argmax(np.abs(np.nan_to_num(values, posinf=np.inf)))) + 1
        raise Problem(f"Column {name!r} has an infinite or huge number in row {row}. Take it out.")
    gaps = np.isnan(values)
    known = values[train][~gaps[train]]
    mean = float(known.mean()) if len(known) else 0.0
    return np.where(gaps, mean, values).astype(np.float32), int(gaps.sum()), mean


def _categories(column: Any, train: np.ndarray) -> tuple[np.ndarray, list[str], int]:
    """A text column as ``(rows, categories)``, the categories, and how many were too rare."""
    text = column.astype(str)
    gaps = column.isna().to_numpy()
    counts = text.iloc[train[~gaps[train]]].value_counts()
    order = sorted(counts.index, key=lambda value: (-counts[value], value))
    kept = sorted(order[:MOST_CATEGORIES])
    values = (text.to_numpy()[:, None] == np.array(kept, object)[None, :]) & ~gaps[:, None]
    return values.astype(np.float32), kept, len(order) - len(kept)


def _some(items: list[str]) -> str:
    return ", ".join(items[:8]) + (f" and {len(items) - 8} more" if len(items) > 8 else "")
