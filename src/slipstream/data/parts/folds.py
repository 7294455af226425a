"""`folds`: the data parted several times, so that each row is held out once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from slipstream.data.parts.parting import by_group, by_time
from slipstream.data.parts.rows import named_column
from slipstream.data.parts.split import Part, checked, grouping, strata_of


class Fold(NamedTuple):
    """One way to part the data."""

    train: Part
    validation: Part


def folds(
    x: Any,
    y: Any = None,
    k: int = 5,
    *,
    groups: Any = None,
    time: Any = None,
    stratify: Any = None,
    keep_together: bool = False,
    repeats: int = 1,
    seed: int = 0,
) -> Iterator[Fold]:
    """The data parted `k` times; each row is in the validation part once.

    By time each fold trains on all that was before its validation part, so the earliest of
    ``k + 1`` stretches of time is only ever trained on.

    Args:
        x, y: as in `split`.
        k: number of folds.
        groups, time, stratify, keep_together: as in `split`.
        repeats: how often to do it all over, with other parts.
        seed: equal seeds give equal parts.

    Raises:
        ValueError: if there are not enough rows, groups or times, or a time comes with repeats.
        TypeError: for batches.
    """
    rows = checked(x, y, "folds")
    if isinstance(repeats, bool) or int(repeats) != repeats or repeats < 1:
        raise ValueError(f"repeats must be a whole number of at least 1; got {repeats!r}.")
    together = grouping(x, groups, time, keep_together, rows)
    if time is not None:
        if repeats > 1:
            raise ValueError("Folds by time are always the same; leave repeats out.")
        _check_number(k, rows - 1, "k")
        found = by_time(named_column(x, time, "time", rows), [1 / (k + 1)] * (k + 1))
        pairs = [(np.concatenate(found[: i + 1]), found[i + 1]) for i in range(k)]
    else:
        strata = strata_of(y, stratify, rows)
        every = [
            fold_of_rows(strata, k, [seed, number] if number else seed, together)
            for number in range(int(repeats))
        ]
        pairs = [
            (np.flatnonzero(places != fold), np.flatnonzero(places == fold))
            for places in every
            for fold in range(k)
        ]
    return (Fold(Part.of(x, y, train), Part.of(x, y, held)) for train, held in pairs)


def fold_of_rows(
    strata: np.ndarray, k: int, seed: Any, groups: np.ndarray | None = None, name: str = "k"
) -> np.ndarray:
    """The fold of each row ``(rows,)``, from 0; sizes and classes differ as little as they can.

    Args:
        strata: ``(rows,)`` class numbers; all equal where classes do not matter.
        k: number of folds.
        seed: of `numpy.random.default_rng`.
        groups: ``(rows,)`` numbers of what belongs together, or None.
        name: what the user calls `k`.

    Raises:
        ValueError: if there are fewer rows or groups than folds.
    """
    rows = len(strata)
    _check_number(k, rows, name)
    generator = np.random.default_rng(seed)
    if groups is not None:
        return by_group(groups, strata, [1 / k] * int(k), generator)
    mixed = generator.permutation(rows)  # one class after another, dealt out in turn
    mixed = mixed[np.argsort(strata[mixed], kind="stable")]
    places = np.empty(rows, np.int64)
    places[mixed] = np.arange(rows) % int(k)
    return places


def _check_number(k: Any, most: int, name: str) -> None:
    if isinstance(k, bool) or int(k) != k or not 2 <= k <= most:
        raise ValueError(f"{name} must lie between 2 and the {most:,} rows; got {k!r}.")
