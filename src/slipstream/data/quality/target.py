"""Targets: what kind they are, and whether a single column gives them away."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.data.quality.tables import Reader, Table

FEW = 20  # distinct whole numbers that are taken for classes
SAMPLE_ROWS = 512
SAMPLE_CELLS = 2**21
VERIFY_CELLS = 2**21
CHANCE = 1e-3  # highest probability of a column that fits by accident
ALMOST_ONE = 0.9999  # squared correlation from which on a column is the target in disguise


@dataclass
class Target:
    """Targets of a training.

    Attributes:
        values: ``(rows,)`` class numbers, or values float; NaN is kept.
        classes: name of each class; None for a regression.
        missing: how many targets are no finite numbers.
        plain: whether there is one target a row; if not, `values` are NaN.
    """

    values: np.ndarray
    classes: list[Any] | None
    missing: int = 0
    plain: bool = True

    @property
    def counts(self) -> np.ndarray:
        """Rows of each class."""
        return np.bincount(self.values, minlength=len(self.classes or ()))

    @property
    def one_value(self) -> bool:
        """Whether all targets are the same."""
        return self.plain and not self.missing and self.values.min() == self.values.max()

    def best_share(self, groups: np.ndarray) -> float:
        """Highest accuracy, or R², of a model that must treat each group as one."""
        sizes = np.bincount(groups)
        if self.classes is not None:
            several = np.flatnonzero(sizes[groups] > 1)
            keys = groups[several] * len(self.classes) + self.values[several]
            pairs, counts = np.unique(keys, return_counts=True)
            best = np.minimum(sizes, 1)
            np.maximum.at(best, pairs // len(self.classes), counts)
            return float(best.sum()) / len(groups)
        means = np.bincount(groups, self.values) / np.maximum(sizes, 1)
        off, spread = self.values - means[groups], self.values - self.values.mean()
        return 1 - float(off @ off) / float(spread @ spread)

    def unseen(self, held: Any) -> list[Any]:
        """Classes of held out targets that are none of these."""
        found = _plain(held)
        if found is None or self.classes is None:
            return []
        if found.ndim == 2:
            found = found.argmax(1)
        return sorted(set(np.unique(found).tolist()) - set(self.classes), key=str)


def read_target(y: Any, rows: int, task: str | None) -> Target:
    """Targets from what a user passes as `y`.

    Raises:
        ValueError: if the number of rows differs, or the task is unknown.
    """
    if task not in (None, "classification", "regression"):
        raise ValueError(f"task is 'classification', 'regression' or None; got {task!r}.")
    values = _plain(y)
    if values is None:  # several targets
        tables = Reader().tables(y, "y")
        bad = sum(int((~np.isfinite(table.values)).sum()) for table in tables)
        _same_rows(len(tables[0].values), rows)
        return Target(np.full(rows, np.nan), None, bad, plain=False)
    _same_rows(len(values), rows)
    if values.ndim == 2:  # one-hot
        return Target(values.argmax(1), list(range(values.shape[1])))
    if values.dtype.kind == "f":
        bad = int((~np.isfinite(values)).sum())
        if bad:
            return Target(values, None, bad)
    if task != "regression":
        distinct, codes = np.unique(values, return_inverse=True)
        if task or values.dtype.kind not in "iuf" or _are_classes(distinct, len(values)):
            whole = values.dtype.kind == "f" and (distinct == np.floor(distinct)).all()
            names = distinct.astype(np.int64) if whole else distinct
            return Target(codes.reshape(-1), names.tolist())
    return Target(values.astype(np.float64), None)


def _same_rows(found: int, wanted: int) -> None:
    if found != wanted:
        raise ValueError(f"x has {wanted:,} rows and y {found:,}. Each row of x needs one of y.")


def _are_classes(distinct: np.ndarray, rows: int) -> bool:
    if distinct.dtype.kind == "f" and (distinct != np.floor(distinct)).any():
        return False
    if len(distinct) <= min(FEW, max(2, rows // 2)):
        return True
    whole = distinct.dtype.kind in "iu" and distinct[0] == 0 and distinct[-1] + 1 == len(distinct)
    return bool(whole and 5 * len(distinct) <= rows)


def _plain(y: Any) -> np.ndarray | None:
    """One target a row ``(rows,)``, or one-hot rows ``(rows, classes)``; None for other ones."""
    if isinstance(y, dict) or (isinstance(y, (list, tuple)) and y and hasattr(y[0], "shape")):
        return None
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dtype.kind in "OUST" and values.ndim == 1:
        return values.astype(str)
    if values.ndim == 1 and values.dtype.kind in "biuf":
        return values
    if values.ndim == 2 and values.dtype.kind in "biuf":
        ones = ((values == 0) | (values == 1)).all() and (values.sum(1) == 1).all()
        return values if ones else None
    return None


def tells_all(table: Table, target: Target) -> Iterator[str]:
    """Names of columns of which one alone gives the target, beyond what chance would do.

    Along the sorted column the classes must come in a few runs, and equal values belong to one
    class; values must rise or fall with it, or lie on a line. A sample of rows says which columns
    are worth looking at in full.
    """
    values, y = table.values, target.values
    if target.missing or not target.plain or target.one_value or len(y) < 10:
        return
    if target.classes is not None and (target.counts > 0).sum() < 2:
        return
    numbers = np.random.default_rng(0)
    columns = np.arange(values.shape[1])
    if len(columns) * 64 > SAMPLE_CELLS:
        columns = np.sort(numbers.choice(columns, SAMPLE_CELLS // 64, replace=False))
    size = min(len(y), SAMPLE_ROWS, max(64, SAMPLE_CELLS // len(columns)))
    rows = np.sort(numbers.choice(len(y), size, replace=False)) if size < len(y) else slice(None)
    hopeful = columns[_fits(values[rows][:, columns], y[rows], target, len(columns))]
    for column in hopeful[: max(1, VERIFY_CELLS // len(y))]:
        if _fits(values[:, column : column + 1], y, target, len(columns))[0]:
            yield table.names[column]


def _fits(values: np.ndarray, y: np.ndarray, target: Target, columns: int) -> np.ndarray:
    """Which columns give the target away on these rows."""
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.float32(np.inf), values)
    order = np.argsort(values, axis=0, kind="stable")
    ordered, along = np.take_along_axis(values, order, 0), y[order]
    steps, turns = ordered[1:] != ordered[:-1], along[1:] != along[:-1]
    pure = ~(turns & ~steps).any(0)
    if target.classes is None:
        moves = np.sign(np.diff(along, axis=0))
        enough = len(np.unique(y)) >= 10
        return (pure & enough & ((moves >= 0).all(0) | (moves <= 0).all(0))) | _linear(values, y)
    found = np.zeros(values.shape[1], bool)
    limit = math.log(CHANCE / columns) + _arrangements(np.bincount(y))
    for column in np.flatnonzero(pure):
        runs, distinct = int(turns[:, column].sum()) + 1, int(steps[:, column].sum()) + 1
        ways = _choose(distinct - 1, runs - 1) + runs * math.log(len(target.classes))
        found[column] = runs > 1 and ways < limit
    return found


def _linear(values: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which columns are the target but for a factor and an offset."""
    off = values.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        off -= off.mean(0)
        away = y - y.mean()
        squared = (away @ off) ** 2 / ((off * off).sum(0) * (away @ away))
    return np.nan_to_num(squared) > ALMOST_ONE


def _arrangements(counts: np.ndarray) -> float:
    """Logarithm of the number of ways to hand out so many labels."""
    return math.lgamma(counts.sum() + 1) - sum(math.lgamma(int(c) + 1) for c in counts)


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
