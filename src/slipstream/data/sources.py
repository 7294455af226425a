"""One way in for all data: arrays in memory, or batches from an iterator."""

from __future__ import annotations

import os
from math import ceil
from typing import Any

import jax
import numpy as np

from slipstream.core import config
from slipstream.data.arrays import length, to_arrays
from slipstream.data.batch_source import Batch, BatchSource, count_of, unpack, weigh_classes
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
    """

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
        self.steps = ceil(self.size / batch_size) if steps is None else steps

    @property
    def partial(self) -> int:
        """Rows of the last batch of a pass if it is not full, else 0."""
        return self.size % self.batch_size

    def order(self, seed: int, step: int) -> np.ndarray:
        """Row numbers of an epoch's batches: ``(steps, batch)`` int32, -1 where there is no row.

        The data are passed over again and again; an epoch takes the batches from `step` on, so
        an epoch of fewer batches than a pass goes on where the last one ended.

        Args:
            seed: the run's seed; with the number of the pass it fixes the order.
            step: training steps taken before this epoch.
        """
        whole = ceil(self.size / self.batch_size)
        passes = range(step // whole, (step + self.steps - 1) // whole + 1)
        table = np.concatenate([self._pass(seed, number) for number in passes])
        begin = step % whole
        return table[begin : begin + self.steps]

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
        table = np.full(ceil(self.size / self.batch_size) * self.batch_size, -1, np.int32)
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
        steps = config.cap_steps(steps, count_of(x))
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
    steps = config.cap_steps(steps, -(-length(x, "x") // batch_size))
    return ArraySource(x, y, sample_weight, batch_size, shuffle, steps)
