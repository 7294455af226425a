"""Classes of unequal numbers: weights, and rows that make them count alike."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.data.arrays import to_arrays
from slipstream.data.parts.rows import count_rows, pick
from slipstream.data.parts.split import checked
from slipstream.data.quality.target import Target, read_target
from slipstream.data.sequences.planned import Planned
from slipstream.data.streams.stream import Options


class _Weighed(NamedTuple):
    x: Any
    y: Any
    sample_weight: Any


class Balanced(_Weighed):
    """Data whose classes count alike: ``(x, y, sample_weight)``; weights are None if all are 1.

    Attributes:
        x, y, sample_weight: as `fit` takes them.
        rows: ``(rows,)`` number of each row in the data given; with ``"over"`` some come again.
    """

    rows: np.ndarray


def class_weights(y: Any) -> dict[int, float]:
    """What makes classes count alike, for ``fit(class_weight=…)``: rows / (classes × rows of one).

    The mean over all rows is 1, so that the learning rate means what it did.

    Args:
        y: ``(rows,)`` or ``(rows, 1)`` class numbers, or ``(rows, classes)`` one-hot.

    Raises:
        ValueError: if the classes have no numbers, as texts have not, or there are none.
    """
    target = _classes(y)
    names = target.classes or []
    if not all(isinstance(name, (int, bool)) and name >= 0 for name in names):
        raise ValueError(
            f"class_weight of fit goes by class numbers from 0, and y has the class {names[0]!r}. "
            "Number the classes first: names, y = np.unique(y, return_inverse=True)."
        )
    counts = target.counts
    each = counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1))
    return {int(name): float(w) for name, w, n in zip(names, each, counts) if n}


def balance(x: Any, y: Any, how: str = "over", seed: int = 0) -> Balanced:
    """Training data in which every class has as many rows, or as much weight.

    Balance the training part alone, after `split`: rows that come again must not be held out too.

    Args:
        x: inputs with as many rows as `y`, in any form that `split` takes.
        y: class numbers, texts or one-hot rows.
        how: ``"over"``: rows of rarer classes come again, each about as often; ``"under"``: rows of
            commoner classes are left out at random; ``"weights"``: all rows, with weights.
        seed: equal seeds give equal rows, in equal order.

    Raises:
        ValueError: if `y` has no classes, or there is no such way.
        TypeError: for batches.
    """
    if how not in ("over", "under", "weights"):
        raise ValueError(f"how must be 'over', 'under' or 'weights'; got {how!r}.")
    rows = checked(x, y, "balance")
    target = _classes(y)
    counts = target.counts
    weight = None
    if how == "weights":
        chosen = np.arange(rows)
        each = rows / ((counts > 0).sum() * np.maximum(counts, 1))
        weight = each[target.values].astype(np.float32)
    else:
        generator = np.random.default_rng(seed)
        size = counts.max() if how == "over" else counts[counts > 0].min()
        members = [np.flatnonzero(target.values == label) for label in np.flatnonzero(counts)]
        chosen = np.concatenate([_drawn(each, int(size), generator) for each in members])
        chosen = generator.permutation(chosen)
    found = Balanced(pick(x, chosen), pick(y, chosen), weight)
    found.rows = chosen
    return found


def balanced(
    x: Any, y: Any, *, batch_size: int = 32, shuffle: bool = True, seed: int | None = None
) -> Planned:
    """Batches in which every class has about as many rows; `fit` takes them as they are.

    A pass has as many rows as the data. Rows of a rare class come again before all of a common one
    have come, each as often as the others of its class.

    Args:
        x, y: arrays, frames or structures of them; `y` has classes.
        batch_size: rows of a batch.
        shuffle: whether each pass has rows and an order of its own.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.

    Raises:
        ValueError: if `y` has no classes.
        TypeError: for batches, texts and other things that are no numbers.
    """
    rows = checked(x, y, "balanced")
    target = _classes(y)
    members = [np.flatnonzero(target.values == label) for label in np.flatnonzero(target.counts)]
    data = to_arrays(x, "x"), to_arrays(y, "y")
    options = Options(batch_size, shuffle, seed)
    options.check()

    def plan(generator: np.random.Generator | None) -> list[np.ndarray]:
        rounds = -(-rows // len(members))
        if generator is None:
            order = np.tile(np.arange(len(members)), rounds)[:rows]
        else:  # each class once, then each once again, in changing order
            order = generator.permuted(np.tile(np.arange(len(members)), (rounds, 1)), axis=1)
            order = order.ravel()[:rows]
        chosen = np.empty(rows, np.int64)
        for label, each in enumerate(members):
            places = np.flatnonzero(order == label)
            chosen[places] = _drawn(each, len(places), generator)
        return [chosen[begin : begin + batch_size] for begin in range(0, rows, batch_size)]

    def make(chosen: np.ndarray) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf[chosen]), data)

    return Planned(rows, -(-rows // batch_size), options, plan, make, "the data")


def _drawn(members: np.ndarray, size: int, generator: np.random.Generator | None) -> np.ndarray:
    """So many of some rows, each as often as another or once more, the whole again and again."""
    if generator is None:
        return np.resize(members, size)
    whole = [generator.permutation(members) for _ in range(-(-size // len(members)))]
    return np.concatenate([members[:0], *whole])[:size]


def _classes(y: Any) -> Target:
    target = read_target(y, count_rows(y, "y"), None)
    if target.classes is None:
        raise ValueError(
            "y has no classes, but values, several targets or gaps. Balancing needs class numbers, "
            "texts or one-hot rows."
        )
    return target
