"""Targets: which task they ask for, and as numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from slipstream.cli.problem import Problem

MOST_CLASSES = 20  # distinct whole numbers up to which a numeric target counts as classes
LEAST_ROWS = 3  # of each class on average: one each for training, validation and test


@dataclass(frozen=True)
class Target:
    """What is to be predicted.

    Attributes:
        y: class numbers ``(rows,)`` int32, or values float32.
        classes: name of each class, or None for a regression.
        why: how the task was told, for the user to object; empty if the user chose.
    """

    y: np.ndarray
    classes: list[str] | None
    why: str = ""


def read(values: np.ndarray, name: str, task: str = "auto") -> Target:
    """Targets as numbers.

    Args:
        values: ``(rows,)`` or ``(rows, 1)`` numbers or text, or ``(rows, classes)`` one-hot.
        name: what the user calls them.
        task: ``"classification"``, ``"regression"``, or ``"auto"`` to go by the values.

    Raises:
        Problem: if there are gaps, one value only, or fewer rows than the classes need.
    """
    values = _flat(np.asarray(values), name)
    _check_gaps(values, name)
    text = values.dtype.kind not in "iuf"
    distinct = len(set(values.astype(str).tolist())) if text else len(np.unique(values))
    if distinct == 1:
        raise Problem(f"{name} is always {values[0]}: there is nothing to tell apart.")
    chosen, why = task, ""
    if task == "auto":
        whole = text or not np.any(values != np.floor(values))
        chosen = "classification" if _few(distinct, whole, text) else "regression"
        other = "regression" if chosen == "classification" else "classification"
        kind = "texts" if values.dtype.kind in "OUS" else "values"
        remedy = "" if values.dtype.kind in "OUS" else f"; --task {other} changes it"
        why = f"{name} has {distinct:,} different {kind}{remedy}"
    if chosen == "regression":
        if values.dtype.kind in "OUS":
            raise Problem(
                f"{name} holds text such as {str(values[0])!r}; a regression needs numbers."
            )
        return Target(values.astype(np.float32), None, why)
    if len(values) < LEAST_ROWS * distinct:
        raise Problem(
            f"{name} has {distinct:,} classes in {len(values):,} rows; each class needs "
            f"{LEAST_ROWS} rows or more. "
            + ("Is it an identifier?" if text else "For a regression pass --task regression.")
        )
    classes, y = np.unique(values.astype(str) if text else values, return_inverse=True)
    return Target(y.astype(np.int32), [_label(each) for each in classes], why)


def _few(distinct: int, whole: bool, text: bool) -> bool:
    return text or distinct <= 2 or (whole and distinct <= MOST_CLASSES)


def _flat(values: np.ndarray, name: str) -> np.ndarray:
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim == 2 and values.dtype.kind in "biuf" and _one_hot(values):
        return values.argmax(1)
    if values.ndim != 1:
        raise Problem(
            f"{name} has shape {values.shape}; targets are one value a row, or one-hot rows."
        )
    if not len(values):
        raise Problem(f"{name} is empty.")
    return values


def _one_hot(values: np.ndarray) -> bool:
    return bool(np.all((values == 0) | (values == 1)) and np.all(values.sum(1) == 1))


def _check_gaps(values: np.ndarray, name: str) -> None:
    if values.dtype.kind == "f":
        gaps = ~np.isfinite(values)
    else:
        gaps = np.array([v is None or v != v for v in values]) if values.dtype == object else None
    if gaps is not None and gaps.any():
        raise Problem(
            f"{name} is missing or infinite in {int(gaps.sum()):,} of {len(values):,} rows, first "
            f"in row {int(gaps.argmax()) + 1}. Take those rows out, or fill them in."
        )


def _label(value: object) -> str:
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)
