"""Rows for training, validation and test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slipstream.cli.problem import Problem


class Split(NamedTuple):
    """Row numbers, in rising order; no row is in two parts."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(
    y: np.ndarray, classes: int | None, validation: float, test: float, seed: int, held_out: int = 0
) -> Split:
    """Part the rows at random; of each class the same shares go into each part.

    Args:
        y: ``(rows,)`` class numbers, or values.
        classes: number of classes, or None for a regression.
        validation, test: shares of all rows.
        seed: equal seeds give equal parts.
        held_out: this many last rows are the test part, in place of a random share.

    Raises:
        Problem: if the shares leave a part empty.
    """
    for name, share in (("--validation", validation), ("--test", test)):
        if not 0 < share < 1:
            raise Problem(f"{name} is a share of the rows, between 0 and 1; got {share:g}.")
    if validation + test >= 1:
        raise Problem(
            f"--validation {validation:g} and --test {test:g} leave nothing to train on; together "
            "they must stay under 1."
        )
    generator = np.random.default_rng(seed)
    rows = len(y) - held_out
    labels = y[:rows] if classes is not None else np.zeros(rows, np.int32)
    parts: list[list[np.ndarray]] = [[], [], []]
    for label in range(classes or 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        tested = 0 if held_out else _count(test, len(members), 2)
        judged = _count(validation, len(members) - tested, 1, len(members))
        cut = np.split(members, [tested, tested + judged])
        for part, members in zip(parts, (cut[2], cut[1], cut[0])):
            part.append(members)
    train, judged_rows, tested_rows = (np.sort(np.concatenate(part)) for part in parts)
    if held_out:
        tested_rows = np.arange(rows, len(y))
    found = Split(train, judged_rows, tested_rows)
    for name, chosen in zip(("training", "validation", "test"), found):
        if not len(chosen):
            raise Problem(
                f"{len(y):,} rows leave none for {name}. Bring more rows, or change --validation "
                "and --test."
            )
    return found


def _count(share: float, rows: int, others: int, whole: int | None = None) -> int:
    """Rows of one class for a part: at least one, and one is left for each of the other parts.

    Args:
        share: of the rows of the class.
        rows: how many are there still.
        others: parts that come after this one.
        whole: how many there were at first, if more than `rows`.
    """
    return max(0, min(max(1, round(share * (whole or rows))), rows - others))
