"""Batches made by somebody else: where an epoch begins, and what a resumed run leaves out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from slipstream.data.arrays import is_leaf, to_arrays
from slipstream.data.dataset import Dataset, Place
from slipstream.data.streams.stream import Stream

Batch = tuple[Any, Any, Any]  # x, y and sample_weight; the last two may be None


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
        again = self.indexed or isinstance(batches, Dataset)
        self.endless = not again and iter(batches) is batches
        # A generator that has begun stands where a run before left it.
        self._begun = inspect.isgenerator(batches) and (
            inspect.getgeneratorstate(batches) != inspect.GEN_CREATED
        )
        if steps is None:
            steps = count_of(batches)
        self.steps = steps
        self._open: Iterator[Any] | None = None
        self._at = 0  # steps that lead to where the open iterator of a `Dataset` stands
        self._ahead: list[Batch] = []
        self._lost: set[int] = set()  # places of batches that could not be read

    def epoch(self, seed: int, step: int, skip: int = 0, before: int = 0) -> Iterator[Batch]:
        """The batches of one epoch.

        A one-way iterator goes on where the last epoch left it, a `Dataset` or `Stream` where the
        steps taken have brought it; anything else starts anew. What cannot begin at any batch is
        gone through from its first one, and what a run before has taken is left out.

        Args:
            seed: the run's seed.
            step: training steps taken before.
            skip: how many of them belong to this epoch: that many batches are left out.
            before: how many belong to epochs of the run that this one goes on with.
        """
        if isinstance(self.batches, Dataset):
            yield from self._from_place(self.batches, seed, step, skip)
        elif self.indexed:
            yield from self._anew(seed, step - skip, skip)
        else:
            if self.endless:
                self._leave_out(before)
            left_out = 0 if self._begun else skip
            yield from islice(self._anew(seed, step - skip), left_out, None)

    def _leave_out(self, count: int) -> None:
        """Pass over batches of a one-way iterator that an earlier process has taken."""
        if self._begun:
            return
        if self._open is None:
            self._open = iter(self.batches)
        ahead = min(count, len(self._ahead))
        del self._ahead[:ahead]
        for _ in islice(self._open, count - ahead):
            pass

    def _anew(self, seed: int, step: int, skip: int = 0) -> Iterator[Batch]:
        taken = skip
        while self.steps is None or taken < self.steps:
            found = False
            for batch in self._pass(seed, step, skip):
                found = True
                yield batch
                taken += 1
                if taken == self.steps:
                    break
            skip = 0
            if self.steps is None or self.endless or not found:
                break
        if self.indexed:
            self.batches.on_epoch_end()

    def _from_place(self, dataset: Dataset, seed: int, step: int, skip: int) -> Iterator[Batch]:
        """Passes one after the other, from the batch on that `step` steps have led to."""
        length = count_of(dataset)
        if length is None:
            yield from self._of_unknown_length(dataset, seed, step, skip)
            return
        place = step
        for lost in sorted(self._lost):  # no step was taken on these
            place += lost <= place
        end = place - skip + (length if self.steps is None else self.steps)
        while place < end:
            number, skip = divmod(place, length)
            begun = place
            for batch in dataset.places(seed, number, skip):
                if batch is None:
                    self._lost.add(place)
                else:
                    yield self._convert(batch)
                place += 1
                if place == end:
                    break
            if place == begun:  # shorter than it says
                break

    def _of_unknown_length(
        self, dataset: Dataset, seed: int, step: int, skip: int
    ) -> Iterator[Batch]:
        """A pass for an epoch, or pass after pass where `steps` says how long an epoch is."""
        if self.steps is None:
            yield from map(self._convert, dataset.places(seed, step - skip, skip))
            return
        if self._open is None or self._at != step:
            self._open, self._at = dataset.repeat().at(Place(seed, 0, step)), step
        for batch in islice(self._open, self.steps - skip):
            self._at += 1
            yield self._convert(batch)

    def _pass(self, seed: int, step: int, skip: int = 0) -> Iterator[Batch]:
        if self.indexed:
            if hasattr(self.batches, "on_epoch_begin"):
                self.batches.on_epoch_begin()
            indices = np.arange(len(self.batches))
            if self.shuffle:
                indices = np.random.default_rng([seed, step]).permutation(indices)
            for index in indices[skip % max(len(indices), 1) :]:
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


def count_of(batches: Any) -> int | None:
    """Number of batches, None if they do not tell."""
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
