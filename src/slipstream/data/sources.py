"""One way in for all data: arrays in memory, or batches from an iterator."""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import ceil
from typing import Any

import jax
import numpy as np

from slipstream.core import config
from slipstream.data import epochs
from slipstream.data.arrays import length, to_arrays
from slipstream.data.batch_source import Batch, BatchSource, count_of, unpack, weigh_classes
from slipstream.data.dataset import Place
from slipstream.data.streams.examples import is_map_style
from slipstream.data.streams.iterated import is_iterated
from slipstream.data.streams.reading import read

__all__ = [
    "ArraySource",
    "Batch",
    "BatchSource",
    "is_batches",
    "make_source",
    "unpack",
    "weigh_classes",
]


class ArraySource:
    """Arrays in memory, cut into batches by row numbers.

    Args:
        x, y, sample_weight: arrays or structures of arrays with as many rows; y and
            sample_weight may be None.
        batch_size: rows of a batch.
        shuffle: whether each epoch has an order of its own.
        steps: batches of an epoch, where it is not to be all of them.

    Attributes:
        whole: batches of a pass.
    """

    lost: Sequence[int] = ()  # batches that could not be read; see `BatchSource`

    def __init__(
        self,
        x: Any,
        y: Any,
        sample_weight: Any,
        batch_size: int,
        shuffle: bool | str = False,
        steps: int | None = None,
    ) -> None:
        self.data: Batch = (x, y, sample_weight)
        self.size = length(
            {k: v for k, v in zip(("x", "y", "sample_weight"), self.data) if v is not None}, "data"
        )
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.whole = ceil(self.size / batch_size)
        self.steps = self.whole if steps is None else steps

    @property
    def partial(self) -> int:
        """Rows of the last batch of a pass if it is not full, else 0."""
        return self.size % self.batch_size

    def begin(self, seed: int, step: int) -> Place:
        """Where a run with `seed` begins, for a model that has taken `step` steps before."""
        return epochs.begin(seed, step, self.whole)

    def after(self, place: Place) -> Place:
        """Where the epoch after the one that begins at `place` begins."""
        return epochs.after(place, self.steps, self.whole)

    def order(self, place: Place) -> np.ndarray:
        """Row numbers of the batches of the epoch that begins at a place.

        ``(batches, batch)`` int32, -1 where there is no row. Seed and number of the pass fix them.
        """
        stop = epochs.end(place, self.steps, self.whole)
        return self._pass(place.seed, place.number)[place.skip : stop]

    def _pass(self, seed: int, number: int) -> np.ndarray:
        rows: np.ndarray = np.arange(self.size, dtype=np.int32)
        if self.shuffle:
            generator = np.random.default_rng([seed, number])
            if self.shuffle == "batch":
                whole = self.size // self.batch_size * self.batch_size
                blocks = rows[:whole].reshape(-1, self.batch_size)
                rows = np.concatenate([generator.permutation(blocks).ravel(), rows[whole:]])
            else:
                rows = generator.permutation(rows)
        table = np.full(self.whole * self.batch_size, -1, np.int32)
        table[: self.size] = rows
        return table.reshape(-1, self.batch_size)

    def first(self) -> Batch:
        """The first rows, to build a model with."""
        rows = min(self.batch_size, self.size)
        return jax.tree.map(lambda leaf: leaf[:rows], self.data)


def is_batches(x: Any) -> bool:
    """Whether `x` yields batches, rather than being the data itself."""
    if hasattr(x, "shape") or hasattr(x, "iloc") or isinstance(x, (dict, list, tuple, np.ndarray)):
        return False
    if hasattr(x, "null_count"):  # a column of pyarrow
        return False
    return hasattr(x, "__iter__") or hasattr(x, "__next__") or hasattr(x, "__getitem__")


def make_source(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    steps: int | None = None,
    shuffle: bool | str = False,
    class_weight: dict[int, float] | None = None,
) -> ArraySource | BatchSource:
    """The source for whatever a user passes as data.

    Raises:
        ValueError: if sizes differ, there are no rows, or y comes beside batches that hold it.
    """
    if x is None:
        raise ValueError("There is no data: x is None. Pass an array, or batches of (x, y).")
    if isinstance(x, (str, os.PathLike)):
        raise TypeError(
            f"x is the path {os.fspath(x)!r}. Pass slipstream.data.read(path, target=…), which "
            "gives batches of what is in the file."
        )
    if is_batches(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"x yields batches, which hold {name} themselves; leave {name}=… out."
                )
        if is_map_style(x):
            x = read(x, batch_size=batch_size or 32, shuffle=bool(shuffle))
        elif is_iterated(x):  # in its own order
            x = read(x, batch_size=batch_size or 32)
        known = count_of(x)
        steps = epochs.limited(config.cap_steps(steps, known), known)
        return BatchSource(x, steps, bool(shuffle), class_weight)
    if batch_size is not None and (not isinstance(batch_size, (int, np.integer)) or batch_size < 1):
        raise ValueError(f"batch_size must be a whole number of at least 1; got {batch_size!r}.")
    x, y = to_arrays(x, "x"), to_arrays(y, "y")
    sample_weight = to_arrays(sample_weight, "sample_weight")
    if length(x, "x") == 0:
        raise ValueError(
            f"x has no rows: its shape is {jax.tree.leaves(x)[0].shape}. Pass at least one example."
        )
    if class_weight is not None:
        sample_weight = weigh_classes(class_weight, y, sample_weight)
    batch_size = int(batch_size or 32)
    known = ceil(length(x, "x") / batch_size)
    steps = epochs.limited(config.cap_steps(steps, known), known)
    return ArraySource(x, y, sample_weight, batch_size, shuffle, steps)
