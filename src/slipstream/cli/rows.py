"""Rows to learn from, as they come out of a dataset or a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from slipstream.cli.problem import Problem
from slipstream.cli.target import Target


@dataclass(frozen=True)
class Encoded:
    """Inputs as numbers.

    Attributes:
        x: ``(rows, …)`` for all rows.
        names: name of each column of `x`, or None.
        notes: what was done to the data.
        recipe: how to do the same to new rows, ready for JSON.
    """

    x: np.ndarray
    names: list[str] | None
    notes: list[str]
    recipe: list[dict[str, Any]]


class Features(Protocol):
    """Inputs that may need figures of the training rows before they are numbers."""

    def __len__(self) -> int:
        """Number of rows."""
        ...

    def encode(self, train: np.ndarray) -> Encoded:
        """All rows as numbers, with what is learned from the rows `train` alone."""
        ...


@dataclass(frozen=True)
class Rows:
    """Inputs with their targets.

    Attributes:
        name: of the dataset or file.
        title: one line on what it holds.
        source, licence: where it comes from, if known.
        features: the inputs.
        target: the targets.
        held_out: how many of the last rows are for testing by their makers' wish.
        notes: what the user should know about the data.
    """

    name: str
    title: str
    features: Features
    target: Target
    source: str = ""
    licence: str = ""
    held_out: int = 0
    notes: list[str] = field(default_factory=list)


class ArrayFeatures:
    """Inputs in one array; missing numbers are filled with the training mean of their column.

    Args:
        x: ``(rows, …)`` numbers.
        names: name of each column, or None.

    Raises:
        Problem: if there is no row, or the array holds no numbers or infinite ones.
    """

    def __init__(self, x: np.ndarray, names: list[str] | None = None) -> None:
        if x.dtype.kind not in "biuf":
            raise Problem(f"x holds {x.dtype}, and a network computes on numbers only.")
        if not x.ndim or not x.size:
            raise Problem(f"x is empty: its shape is {x.shape}.")
        x = x[:, None] if x.ndim == 1 else x
        if x.dtype.kind == "f" and np.isinf(x).any():
            raise Problem("x holds infinite numbers. Take those rows out, or replace them.")
        self.x = x if x.dtype == np.uint8 else x.astype(np.float32)
        if self.x.dtype.kind == "f" and np.isinf(self.x).any():
            raise Problem("x holds numbers beyond the range of 32-bit floats. Scale them down.")
        self.names = names

    def __len__(self) -> int:
        return len(self.x)

    def encode(self, train: np.ndarray) -> Encoded:
        """The array with its gaps filled."""
        gaps = np.isnan(self.x) if self.x.dtype.kind == "f" else np.zeros((), bool)
        if not gaps.any():
            return Encoded(self.x, self.names, [], [])
        known = ~gaps[train]
        total = np.where(known, self.x[train], 0).sum(0, dtype=np.float64)
        mean = (total / np.maximum(known.sum(0), 1)).astype(np.float32)
        note = f"{int(gaps.sum()):,} missing numbers were filled with their column's training mean."
        recipe = [{"kind": "fill", "means": mean.ravel().tolist()}]
        return Encoded(np.where(gaps, mean, self.x), self.names, [note], recipe)
