"""Data in parts: for training, validation and test."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.data.arrays import length
from slipstream.data.parts.leaks import Leaks, find_leaks, kinds
from slipstream.data.parts.parting import by_class, by_group, by_time
from slipstream.data.parts.rows import count_rows, named_column, pick, same_rows
from slipstream.data.quality.rows import joined
from slipstream.data.quality.target import read_target
from slipstream.data.sources import Batch, is_batches

TENTHS = 10  # strata of values that are to be spread evenly


class _Pair(NamedTuple):
    x: Any
    y: Any


class Part(_Pair):
    """A part of the data: ``(x, y)``, as `fit` and `validation_data` take it.

    Attributes:
        x, y: in the form they were given in; y is None if it was not given.
        rows: ``(rows,)`` numbers of the rows in the whole data.
    """

    rows: np.ndarray

    @classmethod
    def of(cls, x: Any, y: Any, rows: np.ndarray) -> Part:
        """The rows of these numbers."""
        part = cls(pick(x, rows), pick(y, rows))
        part.rows = rows
        return part

    def __repr__(self) -> str:
        return f"<Part of {len(self.rows):,} rows>"


class _Three(NamedTuple):
    train: Part
    validation: Part
    test: Part


class Parts(_Three):
    """Training, validation and test data; printed, their sizes and what leaks between them."""

    @cached_property
    def leaks(self) -> Leaks:
        """Rows that have an equal or nearly equal one in another part, found when asked for."""
        return find_leaks([(name, part.x, part.rows) for name, part in zip(self._fields, self)])

    def __repr__(self) -> str:
        sizes = [len(part.rows) for part in self]
        total = max(sum(sizes), 1)
        return ", ".join(
            f"{name} {size:,} rows ({100 * size / total:.1f} %)"
            for name, size in zip(self._fields, sizes)
        )

    def __str__(self) -> str:
        return f"{self!r}\n{self.leaks}"


def split(
    x: Any,
    y: Any = None,
    *,
    validation: float = 0.15,
    test: float = 0.15,
    stratify: Any = None,
    groups: Any = None,
    time: Any = None,
    keep_together: bool = False,
    seed: int = 0,
) -> Parts:
    """Data in three parts: at random, class by class, or by group, or by time.

    Classes come in the same shares in all parts: of each class a row goes into every part, if it
    has that many.

    Args:
        x: inputs ``(rows, …)``: an array, a list, a frame, or a dictionary or list of these.
        y: targets with as many rows; None if there are none.
        validation, test: shares of the rows; 0 for an empty part.
        stratify: what to spread evenly: None for the classes of `y`, if it has classes; True for
            `y` whatever it is, values by their tenths; False for nothing; or ``(rows,)`` kinds.
        groups: ``(rows,)`` what belongs together (a patient, a speaker), or the name of a column
            of `x`: no group is in two parts. Shares come as near as that allows.
        time: ``(rows,)`` numbers or dates, or the name of a column of `x`: the earliest rows are
            for training, the latest for the test. Equal times stay together.
        keep_together: whether rows that are equal or nearly so count as one group.
        seed: equal seeds give equal parts.

    Raises:
        ValueError: if shares or numbers of rows make no sense, or a part would be empty.
        TypeError: for batches.
    """
    rows = checked(x, y, "split")
    shares = _shares(validation, test)
    used = [place for place, share in enumerate(shares) if share > 0]
    together = grouping(x, groups, time, keep_together, rows)
    found = [np.zeros(0, np.int64)] * 3
    if time is not None:
        times = named_column(x, time, "time", rows)
        parts = by_time(times, [shares[place] for place in used])
    else:
        strata, generator = strata_of(y, stratify, rows), np.random.default_rng(seed)
        if together is None:
            found = by_class(strata, validation, test, generator)
            parts = [found[place] for place in used]
        else:
            places = by_group(together, strata, [shares[place] for place in used], generator)
            parts = [np.flatnonzero(places == part) for part in range(len(used))]
    for place, part in zip(used, parts):
        if not len(part):
            raise ValueError(
                f"{rows:,} rows leave none for the {_Three._fields[place]} part. Bring more rows, "
                "or change validation and test."
            )
        found[place] = part
    return Parts(*(Part.of(x, y, part) for part in found))


def checked(x: Any, y: Any, doing: str) -> int:
    """Number of rows of data that are to be parted.

    Raises:
        ValueError: if the numbers of rows differ.
        TypeError: for batches.
    """
    if is_batches(x):
        raise TypeError(
            f"{doing} chooses among rows, and x comes in batches. Pass arrays or frames, or split "
            "the files that the batches are read from."
        )
    rows = count_rows(x)
    same_rows(y, "y", rows)
    return rows


def _shares(validation: float, test: float) -> tuple[float, float, float]:
    for name, share in (("validation", validation), ("test", test)):
        if not 0 <= share < 1:
            raise ValueError(f"{name} is a share of the rows, from 0 to below 1; got {share!r}.")
    if validation + test >= 1:
        raise ValueError(
            f"validation={validation:g} and test={test:g} leave nothing to train on; together they "
            "must stay under 1."
        )
    return 1 - validation - test, validation, test


def strata_of(y: Any, stratify: Any, rows: int) -> np.ndarray:
    """A number for each row ``(rows,)``: the kind whose shares are kept; see `split`.

    Raises:
        ValueError: if there is nothing to go by, or its number of rows differs.
    """
    nothing = np.zeros(rows, np.int64)
    if stratify is False or (stratify is None and y is None):
        return nothing
    if stratify is None or stratify is True:
        if y is None:
            raise ValueError("stratify=True spreads the targets evenly, and y is None. Pass y.")
        target = read_target(y, rows, None)
        if target.classes is not None:
            return target.values.astype(np.int64)
        if stratify is None:
            return nothing
        if not target.plain or target.missing:
            raise ValueError(
                "stratify=True needs one finite value a row in y. Pass stratify=kinds, an array "
                "(rows,) of what to spread evenly."
            )
        ranks = np.empty(rows, np.int64)
        ranks[np.argsort(target.values, kind="stable")] = np.arange(rows)
        return ranks * TENTHS // rows
    return numbered(named_column(None, stratify, "stratify", rows))


def numbered(values: np.ndarray) -> np.ndarray:
    """A number from 0 for each different value."""
    if values.dtype.kind == "O":
        values = values.astype(str)
    return np.unique(values, return_inverse=True)[1].reshape(-1)


def grouping(x: Any, groups: Any, time: Any, keep_together: bool, rows: int) -> np.ndarray | None:
    """A number for each row ``(rows,)``, equal for what belongs together; None if nothing does.

    Raises:
        ValueError: if there are groups besides a time.
    """
    if time is not None and (groups is not None or keep_together):
        other = "groups" if groups is not None else "keep_together"
        raise ValueError(
            f"time and {other} contradict each other: what belongs together may be at any time. "
            "Pass one of them."
        )
    given = None if groups is None else numbered(named_column(x, groups, "groups", rows))
    if not keep_together:
        return given
    alike = kinds(x)
    if given is None:
        return alike
    nodes = rows + int(given.max(initial=-1)) + 1  # each group is a node that its rows hang on
    pairs = np.concatenate(
        [
            np.stack([np.arange(rows), rows + given], 1),
            np.stack([np.arange(rows), np.unique(alike, return_index=True)[1][alike]], 1),
        ]
    )
    return numbered(joined(pairs, nodes)[:rows])


def split_off(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[Batch, Batch]:
    """The first rows for training, the last `share` of them for validation, as Keras splits.

    Raises:
        ValueError: if the share is not between 0 and 1, the data come in batches, or one part
            would be empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"validation_split must lie between 0 and 1; got {share}.")
    if is_batches(x):
        raise ValueError(
            "validation_split needs data in arrays; batches cannot be split. Pass "
            "validation_data=… instead."
        )
    rows = length(x, "x")
    kept = int(rows * (1.0 - share))
    if not 0 < kept < rows:
        raise ValueError(
            f"validation_split={share} of {rows} rows leaves {kept} for training and "
            f"{rows - kept} for validation; both need at least one."
        )
    data = (x, y, sample_weight)
    return (
        jax.tree.map(lambda leaf: leaf[:kept], data),
        jax.tree.map(lambda leaf: leaf[kept:], data),
    )
