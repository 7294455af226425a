"""One way in for all data: arrays in memory, or batches from an iterator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from math import ceil
from typing import Any

import jax
import numpy as np

from slipstream.core import config
from slipstream.data.arrays import is_leaf, length, to_arrays
from slipstream.data.streams.examples import is_map_style
from slipstream.data.streams.reading import read
from slipstream.data.streams.stream import Stream

Batch = tuple[Any, Any, Any]  # x, y and sample_weight; the last two may be None


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


class BatchSource:
    """Batches made by somebody else: a `Stream`, a generator, `PyDataset`, DataLoader, tf.data …

    Args:
        batches: an iterable of ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, or an object with
            `__getitem__` and `__len__`.
        steps: batches of an epoch; all there are if not given.
        shuffle: whether an indexable source is visited in a new order each epoch.
        class_weight: weight of each class, or None.

    Raises:
        ValueError: if there is no batch, or an endless iterator comes without `steps`.
    """

    def __init__(
        self,
        batches: Any,
        steps: int | None = None,
        shuffle: bool = False,
        class_weight: dict[int, float] | None = None,
    ) -> None:
        self.batches = batches
        self.class_weight = class_weight
        self.indexed = hasattr(batches, "__getitem__") and hasattr(batches, "on_epoch_end")
        self.shuffle = shuffle and self.indexed
        again = self.indexed or isinstance(batches, Stream)
        self.endless = not again and iter(batches) is batches
        if steps is None:
            steps = _count(batches)
        self.steps = steps
        self._open: Iterator[Any] | None = None
        self._ahead: list[Batch] = []
        self._lost: set[int] = set()  # places of batches that could not be read

    def epoch(self, seed: int, step: int, skip: int = 0) -> Iterator[Batch]:
        """The batches of one epoch.

        A one-way iterator goes on where the last epoch left it, a `Stream` where the steps taken
        have brought it; anything else starts anew.

        Args:
            seed: the run's seed.
            step: training steps taken before.
            skip: how many of them belong to this epoch: that many batches are left out.
        """
        if isinstance(self.batches, Stream):
            yield from self._from_place(self.batches, seed, step, skip)
        else:
            yield from islice(self._anew(seed, step - skip), skip, None)

    def _anew(self, seed: int, step: int) -> Iterator[Batch]:
        taken = 0
        while self.steps is None or taken < self.steps:
            found = False
            for batch in self._pass(seed, step):
                found = True
                yield batch
                taken += 1
                if taken == self.steps:
                    break
            if self.steps is None or self.endless or not found:
                break
        if self.indexed:
            self.batches.on_epoch_end()

    def _from_place(self, stream: Stream, seed: int, step: int, skip: int) -> Iterator[Batch]:
        """Passes one after the other, from the batch on that `step` steps have led to."""
        place = step
        for lost in sorted(self._lost):  # no step was taken on these
            place += lost <= place
        end = place - skip + (len(stream) if self.steps is None else self.steps)
        while place < end:
            number, skip = divmod(place, len(stream))
            for batch in stream.places(seed, number, skip):
                if batch is None:
                    self._lost.add(place)
                else:
                    yield self._convert(batch)
                place += 1
                if place == end:
                    break

    def _pass(self, seed: int, step: int) -> Iterator[Batch]:
        if self.indexed:
            if hasattr(self.batches, "on_epoch_begin"):
                self.batches.on_epoch_begin()
            indices = np.arange(len(self.batches))
            if self.shuffle:
                indices = np.random.default_rng([seed, step]).permutation(indices)
            for index in indices:
                yield self._convert(self.batches[int(index)])
            return
        while self._ahead:
            yield self._ahead.pop(0)
        if self._open is None or not self.endless:
            self._open = iter(self.batches)
        for batch in self._open:
            yield self._convert(batch)

    def _convert(self, batch: Any) -> Batch:
        x, y, sample_weight = unpack(batch)
        x, y = to_arrays(x, "x"), to_arrays(y, "y")
        sample_weight = to_arrays(sample_weight, "sample_weight")
        if self.class_weight is not None:
            sample_weight = weigh_classes(self.class_weight, y, sample_weight)
        return x, y, sample_weight

    def first(self) -> Batch:
        """The first batch, to build a model with; it is not lost for the training."""
        if isinstance(self.batches, Stream):
            return self._convert(self.batches.first())
        if self.indexed:
            if not len(self.batches):
                raise ValueError("The dataset has no batches: its length is 0.")
            return self._convert(self.batches[0])
        if self.endless and self._ahead:
            return self._ahead[0]
        iterator = iter(self.batches)
        try:
            batch = self._convert(next(iterator))
        except StopIteration:
            raise ValueError(
                "The data gave no batch: the iterable is empty or already used up. Pass a fresh "
                "one, or an object that can be iterated again."
            ) from None
        if self.endless:
            self._open = iterator
            self._ahead.append(batch)
        return batch


def _count(batches: Any) -> int | None:
    for name in ("__len__", "num_batches"):
        try:
            count = len(batches) if name == "__len__" else batches.num_batches
        except (AttributeError, TypeError, NotImplementedError):
            continue
        if count is not None:
            return int(count)
    return None


def unpack(batch: Any) -> Batch:
    """``x``, ``(x, y)`` or ``(x, y, sample_weight)`` as a triple.

    Raises:
        ValueError: if a tuple has more than three parts.
    """
    if isinstance(batch, list) and len(batch) in (2, 3):  # what a torch DataLoader gives
        batch = tuple(batch)
    if not isinstance(batch, tuple):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(
            "A batch is x, (x, y) or (x, y, sample_weight); got a tuple of "
            f"{len(batch)} parts. Put several inputs into a list or dictionary as x."
        )
    x, y, sample_weight = (*batch, None, None)[:3]
    return x, y, sample_weight


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
        steps = config.cap_steps(steps, _count(x))
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


def weigh_classes(class_weight: dict[int, float], y: Any, sample_weight: Any) -> Any:
    """Sample weights in which each row counts as its class says.

    Args:
        class_weight: weight by class number; classes left out count 1.
        y: ``(batch,)`` or ``(batch, 1)`` class numbers, or ``(batch, classes)`` one-hot.
        sample_weight: ``(batch,)`` weights to multiply with, or None.

    Raises:
        ValueError: if y is missing or nested, or a class is no whole number.
    """
    if y is None or not is_leaf(y):
        raise ValueError(
            "class_weight needs targets in one array y; with several outputs, pass "
            "sample_weight for each instead."
        )
    for key in class_weight:
        if not isinstance(key, (int, np.integer)):
            raise ValueError(f"class_weight maps class numbers to weights; got the key {key!r}.")
    labels = np.asarray(y)
    if labels.ndim > 1 and labels.shape[-1] > 1:
        labels = labels.argmax(-1)
    labels = labels.reshape(len(labels), -1)[:, 0].astype(np.int64)
    highest = int(max(labels.max(initial=0), *class_weight))
    table = np.ones(highest + 1, np.float32)
    for key, weight in class_weight.items():
        table[key] = weight
    weights = table[labels]
    if sample_weight is None:
        return weights
    given = np.asarray(sample_weight, np.float32)
    return given * weights.reshape(-1, *([1] * (given.ndim - 1)))
