"""From a source to segments: data on the device and the batches to pick from it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.data import epochs
from slipstream.data.dataset import Place
from slipstream.data.prefetch import prefetch
from slipstream.data.sources import ArraySource, Batch, BatchSource
from slipstream.training.boundary import on_boundary, put

BLOCK_BYTES = 16 * 2**20
BLOCK_BATCHES = 64
BLOCK_SECONDS = 0.05  # a slow maker's batches go on before a block is full


class Segment(NamedTuple):
    """Consecutive batches that one program can run.

    Attributes:
        data: structure of arrays ``(rows, …)``.
        order: ``(batches, batch)`` int32 row numbers into them, -1 where a batch has no row.
        steps: number of batches to run, from the first.
        partial: whether there are -1s among them.
    """

    data: Batch
    order: Any
    steps: int
    partial: bool


class Feed:
    """Gives the segments of each epoch of a source.

    Data in arrays go to the device once, if they fit, and stay there; the rest is cut into blocks
    that a thread makes ready while the device works on the one before.

    Args:
        source: where the data come from.
        fill: whether a partial batch may be filled up with rows that do not count; if not, it
            runs by itself at its own size.

    Attributes:
        place: where the epoch that is being given begins, or else the next one; None for the
            beginning of a new run.
        skip: batches of the next epoch that a run before this one has passed already: those that
            it took, and those of which nothing could be read.
    """

    def __init__(self, source: ArraySource | BatchSource, fill: bool) -> None:
        self.source = source
        self.fill = fill
        self.place: Place | None = None
        self.skip = self._skipped = 0
        self._told = False
        self._resident: Batch | None = None
        self.stays = isinstance(source, ArraySource) and _bytes(source.data) <= _budget()

    def epoch(self, seed: int, step: int) -> Iterator[Segment]:
        """The segments of one epoch; the run's seed and the steps taken before say where to begin.

        The one after it begins where it ended, unless `place` is set to another or None.
        """
        source, steps = self.source, self.source.steps
        taken = self._skipped = self.skip
        self.skip = 0
        self.place = place = self.place or source.begin(seed, step)
        for segment in self._segments(place, taken):
            if isinstance(source, BatchSource):
                self.place = place = source.begun or place
            taken += segment.steps
            yield segment
        self.place = source.after(place)
        ended = self.place.number != place.number
        taken += len(source.lost)
        if ended and steps not in (None, source.whole) and taken < steps and not self._told:
            self._told = True
            epochs.tell(taken, steps)

    def passed(self, batches: int) -> int:
        """Where the epoch stands after so many batches: what `skip` must be to go on there."""
        place = self._skipped + batches
        for lost in self.source.lost:
            place += lost < place
        return place

    def _segments(self, place: Place, skip: int) -> Iterator[Segment]:
        source = self.source
        if isinstance(source, BatchSource):
            return prefetch(self._blocks(source.epoch(place, skip)))
        order = source.order(place)[skip:]
        if self.stays:
            return self._cut(self.resident(), order)
        return prefetch(self._blocks(_rows(source, order)))

    def resident(self) -> Batch:
        """The data on the device, where they stay."""
        if self._resident is None:
            assert isinstance(self.source, ArraySource)
            self._resident = put(self.source.data)
        return self._resident

    def _cut(self, data: Batch, order: np.ndarray) -> Iterator[Segment]:
        """One segment, or runs of equal batch sizes where partial batches stay by themselves."""
        short, steps = np.flatnonzero(order[:, -1] < 0), len(order)
        if steps and (self.fill or not len(short)):
            more = (self.source.steps or steps) - steps
            if more:  # one shape for all epochs, and so one program
                order = np.pad(order, ((0, more), (0, 0)))
            yield Segment(data, order, steps, bool(len(short)))
            return
        begin = 0
        for place in (*short.tolist(), len(order)):
            if place > begin:
                yield Segment(data, order[begin:place], place - begin, False)
            if place < len(order):
                row = order[place]
                yield Segment(data, row[row >= 0][None], 1, False)
            begin = place + 1

    def _blocks(self, batches: Iterator[Batch]) -> Iterator[Segment]:
        """Pack consecutive batches of one shape into blocks of a fixed number of rows."""
        block: _Block | None = None
        for batch in batches:
            rows = jax.tree.leaves(batch)[0].shape[0]
            if block is not None and not block.takes(batch, rows):
                if block.count:
                    yield block.segment()
                block = block.fresh() if block.fits(batch, rows) else None
            if block is None:
                block = _Block(batch, rows, self.fill)
            block.add(batch, rows)
            if block.full or time.perf_counter() - block.begun > BLOCK_SECONDS:
                yield block.segment()
                block = block.fresh()
        if block is not None and block.count:
            yield block.segment()


class _Block:
    """Rows of several batches of one kind, and which batch each belongs to."""

    def __init__(self, like: Batch, width: int, fill: bool, capacity: int | None = None) -> None:
        self.fill = fill
        self.width = width
        size = max(_bytes(like), 1)
        self.capacity = capacity or int(np.clip(BLOCK_BYTES // size, 1, BLOCK_BATCHES))
        self.structure: Any = jax.tree.structure(like)
        self.kinds = [(leaf.shape[1:], leaf.dtype) for leaf in jax.tree.leaves(like)]
        self.buffers = [
            on_boundary((self.capacity * width, *shape), dtype, np.zeros)
            for shape, dtype in self.kinds
        ]
        self.order = np.full((self.capacity, width), -1, np.int32)
        self.count = 0
        self.begun = time.perf_counter()

    def fresh(self) -> _Block:
        like = jax.tree.unflatten(
            self.structure, [np.empty((self.width, *s), d) for s, d in self.kinds]
        )
        return _Block(like, self.width, self.fill, self.capacity)

    def fits(self, batch: Batch, rows: int) -> bool:
        """Whether blocks of this kind can hold the batch."""
        same = self.structure == jax.tree.structure(batch) and self.kinds == [
            (leaf.shape[1:], leaf.dtype) for leaf in jax.tree.leaves(batch)
        ]
        return same and (rows == self.width or (self.fill and rows < self.width))

    def takes(self, batch: Batch, rows: int) -> bool:
        """Whether this block has room for the batch."""
        return self.count < self.capacity and self.fits(batch, rows)

    def add(self, batch: Batch, rows: int) -> None:
        start = self.count * self.width
        for buffer, leaf in zip(self.buffers, jax.tree.leaves(batch)):
            buffer[start : start + rows] = leaf
        self.order[self.count, :rows] = np.arange(start, start + rows)
        self.count += 1

    @property
    def full(self) -> bool:
        return self.count == self.capacity

    def segment(self) -> Segment:
        data = jax.device_put(jax.tree.unflatten(self.structure, self.buffers))
        return Segment(data, self.order, self.count, self.fill)


def _rows(source: ArraySource, order: np.ndarray) -> Iterator[Batch]:
    """Batches gathered on the host, for arrays that do not fit on the device."""
    for row in order:
        picked = row[row >= 0]
        yield jax.tree.map(lambda leaf, picked=picked: leaf[picked], source.data)


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _budget() -> float:
    """Bytes of data that may stay on the device."""
    device = jax.devices()[0]
    if device.platform == "cpu":
        try:
            return 0.4 * os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError):
            return 2.0**32
    stats = device.memory_stats() or {}
    return 0.4 * stats.get("bytes_limit", 2**33)
