"""Rows for training, validation and test."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from slipstream.cli.problem import Problem
from slipstream.data.parts.parting import by_class


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
    rows = len(y) - held_out
    strata = y[:rows] if classes is not None else np.zeros(rows, np.int32)
    parts = by_class(strata, validation, 0 if held_out else test, np.random.default_rng(seed))
    if held_out:
        parts[2] = np.arange(rows, len(y))
    found = Split(*parts)
    for name, chosen in zip(("training", "validation", "test"), found):
        if not len(chosen):
            raise Problem(
                f"{len(y):,} rows leave none for {name}. Bring more rows, or change --validation "
                "and --test."
            )
    return found
