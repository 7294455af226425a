"""Columns of a table as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.cli.problem import Problem
from slipstream.cli.rows import Encoded

MOST_CATEGORIES = 50  # of a text column; rarer ones are left at zero


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
            if is_number(column):
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


def is_bool(column: Any) -> bool:
    """Whether a column holds true and false."""
    import pandas as pd

    return pd.api.types.is_bool_dtype(column)


def is_number(column: Any) -> bool:
    """Whether a column holds numbers, or true and false."""
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _numbers(column: Any, name: str, train: np.ndarray) -> tuple[np.ndarray, int, float]:
    """A column as float32 without gaps, how many there were, and what they were filled with."""
    values = column.to_numpy(np.float64, na_value=np.nan)
    huge = np.abs(values) > np.finfo(np.float32).max
    if huge.any():
        row = int(huge.argmax()) + 1
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
