"""Batches made by somebody else: where an epoch begins, and what a resumed run leaves out."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np

from slipstream.data import epochs
from slipstream.data.arrays import is_leaf, to_arrays
from slipstream.data.dataset import Dataset, Place
from slipstream.data.streams.stream import Failure, Stream

Batch = tuple[Any, Any, Any]  # x, y and sample_weight; the last two may be None


class BatchSource:
    """Batches made by somebody else: a `Stream`, a generator, `PyDataset`, DataLoader, tf.data …

    Args:
        batches: an iterable of ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, or an object with
            `__getitem__` and `__len__`.
        steps: batches of an epoch; all there are if not given.
        shuffle: whether an indexable source is visited in a new order each epoch.
        class_weight: weight of each class, or None.

    Attributes:
        whole: batches of a pass; None if not known, or if there is but one.
        begun: where the last epoch began: not at the place asked for if no batch was left there,
            which only shows where the length is not known. None before the first.
        lost: places of that epoch, from its begin, where nothing of a batch could be read.
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
        count = count_of(batches)
        self.steps = count if steps is None else steps
        self.whole = None if self.endless else count
        self._open: Iterator[Any] | None = None
        self._taken = 0  # from a one-way iterator
        self._ahead: list[Any] = []
        self.begun: Place | None = None
        self.lost: list[int] = []
        self._next: Place | None = None  # begin of the epoch after that

    @property
    def bad(self) -> list[Failure]:
        """Files that could not be read, where the batches come from files of ours."""
        return self.batches.bad if isinstance(self.batches, Dataset) else []

    def begin(self, seed: int, step: int) -> Place:
        """Where a run with `seed` begins, for a model that has taken `step` steps before."""
        return epochs.begin(seed, step, self.whole)

    def after(self, place: Place) -> Place:
        """Where the epoch after the one that begins at `place` begins."""
        if self._next is not None and self.begun == place:
            return self._next
        return epochs.after(place, self.steps, self.whole)

    def epoch(self, place: Place, skip: int = 0) -> Iterator[Batch]:
        """The batches of the epoch that begins at a place.

        A `Dataset` or `Stream` begins there by itself. What cannot is gone through from its first
        batch, unless the epoch before has ended at the place; and of a one-way iterator that an
        earlier process has taken batches of, so many are left out.

        Args:
            place: what `begin` or `after` gave.
            skip: batches to leave out, with those that were lost: a run before has passed them.
        """
        if self.indexed:
            return self._by_index(place, skip)
        return (self._onward if self.endless else self._gone_through)(place, skip)

    def _by_index(self, place: Place, skip: int) -> Iterator[Batch]:
        if hasattr(self.batches, "on_epoch_begin"):
            self.batches.on_epoch_begin()
        indices = np.arange(len(self.batches))
        if self.shuffle:
            indices = np.random.default_rng([place.seed, place.number]).permutation(indices)
        stop = epochs.end(place, self.steps, self.whole)
        for index in indices[place.skip + skip : stop]:
            yield self._convert(self.batches[int(index)])
        self.batches.on_epoch_end()

    def _onward(self, place: Place, skip: int) -> Iterator[Batch]:
        """Batches of a one-way iterator: `place` tells how many were taken before the epoch."""
        if self._open is None:
            self._open = iter(self.batches)
        if self._begun:
            skip = 0
        else:
            for _ in islice(self._rest(self._open), max(place.skip + skip - self._taken, 0)):
                pass
        left = None if self.steps is None else max(self.steps - skip, 0)
        yield from map(self._convert, islice(self._rest(self._open), left))

    def _rest(self, opened: Iterator[Any]) -> Iterator[Any]:
        while self._ahead:
            self._taken += 1
            yield self._ahead.pop(0)
        for batch in opened:
            self._taken += 1
            yield batch

    def _gone_through(self, place: Place, skip: int) -> Iterator[Batch]:
        """Batches of what can be gone through again, opened anew or where it was left."""
        at = place.skip
        if self._open is None or not at or self._next != place:
            at += skip if self.whole else 0
            self._open = self._from(place._replace(skip=at))
        first = [] if self.whole else list(islice(self._open, 1))
        if at and not self.whole and not first:  # the pass ended just where the last epoch did
            place, at = Place(place.seed, place.number + 1), 0
            self._open = self._from(place)
        self.begun, self._next, self.lost = place, None, []
        stop = epochs.end(place, self.steps, self.whole)
        for batch in islice(chain(first, self._open), None if stop is None else stop - at):
            at += 1
            if at <= place.skip + skip:
                continue
            if batch is None:
                self.lost.append(at - place.skip - 1)
            else:
                yield self._convert(batch)
        if at == stop != self.whole:
            self._next = place._replace(skip=at)
        else:
            self._next = Place(place.seed, place.number + 1)
            self._open = None

    def _from(self, place: Place) -> Iterator[Any]:
        """Batches of a pass from a place on, None where nothing of one could be read."""
        if isinstance(self.batches, Dataset):
            return self.batches.places(*place)
        return islice(iter(self.batches), place.skip, None)

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
            return self._convert(self._ahead[0])
        iterator = iter(self.batches)
        try:
            batch = next(iterator)
        except StopIteration:
            raise ValueError(
                "The data gave no batch: the iterable is empty or already used up. Pass a fresh "
                "one, or an object that can be iterated again."
            ) from None
        if self.endless:
            self._open = iterator
            self._ahead.append(batch)
        return self._convert(batch)


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
