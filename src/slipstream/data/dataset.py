"""`Dataset`: elements that can be gone through again and again, and datasets made from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import ceil
from typing import Any

import jax
import numpy as np

from slipstream.core.random import draw_seed
from slipstream.data.prefetch import prefetch


class Dataset:
    """Elements, usually batches, made anew in each pass.

    `fit` takes one as it is. The methods give new datasets and change nothing; they carry the names
    of `tf.data`, so that scripts written for it go on working.

    Args:
        make: gives an iterator for a new pass.
        length: number of elements; None if not known.
    """

    def __init__(self, make: Callable[[], Iterator[Any]], length: int | None = None) -> None:
        self._make = make
        self._length = length

    @classmethod
    def from_iterable(cls, items: Iterable[Any]) -> Dataset:
        """A dataset of what an iterable (not a one-way iterator) gives."""
        return cls(lambda: iter(items), len(items) if isinstance(items, Sized) else None)

    def __iter__(self) -> Iterator[Any]:
        return self._make()

    def __len__(self) -> int:
        if self._length is None:
            raise TypeError("The dataset's length is not known before it has been gone through.")
        return self._length

    def __bool__(self) -> bool:
        return True  # also where the length is not known

    def map(self, function: Callable[..., Any], num_parallel_calls: int | None = None) -> Dataset:
        """`function` of each element; the parts of a tuple are its arguments.

        Args:
            function: of NumPy arrays.
            num_parallel_calls: threads that work ahead; -1 for as many as there are processors.
        """

        def apply(element: Any) -> Any:
            return function(*element) if isinstance(element, tuple) else function(element)

        if not num_parallel_calls:
            return Dataset(lambda: map(apply, self), self._length)
        workers = None if num_parallel_calls < 0 else num_parallel_calls
        return Dataset(lambda: in_order(apply, self, workers), self._length)

    def prefetch(self, buffer_size: int = -1) -> Dataset:
        """The same elements, made up to `buffer_size` ahead by a thread."""
        depth = buffer_size if buffer_size > 0 else 2
        return Dataset(lambda: prefetch(iter(self), depth), self._length)

    def cache(self) -> Dataset:
        """The same elements, kept in memory once all have been made."""
        kept: list[Any] = []

        def make() -> Iterator[Any]:
            if kept:
                yield from kept[0]
                return
            seen = []
            for element in self:
                seen.append(element)
                yield element
            kept[:] = [seen]

        return Dataset(make, self._length)

    def take(self, count: int) -> Dataset:
        """The first `count` elements; all for -1."""
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return Dataset(lambda: islice(iter(self), count), length)

    def skip(self, count: int) -> Dataset:
        """All but the first `count` elements."""
        length = None if self._length is None else max(self._length - count, 0)
        return Dataset(lambda: islice(iter(self), count, None), length)

    def repeat(self, count: int | None = None) -> Dataset:
        """`count` passes, one after the other; without end if not given."""

        def make() -> Iterator[Any]:
            done, found = 0, True
            while found and (count is None or done < count):
                found = False
                for element in self:
                    found = True
                    yield element
                done += 1

        whole = None if count is None or self._length is None else count * self._length
        return Dataset(make, whole)

    def shuffle(self, buffer_size: int, seed: int | None = None) -> Dataset:
        """Another order in each pass, drawing from `buffer_size` elements at a time."""
        orders = _orders(seed)

        def make() -> Iterator[Any]:
            generator = next(orders)
            buffer: list[Any] = []
            for element in self:
                buffer.append(element)
                if len(buffer) >= buffer_size:
                    yield buffer.pop(generator.integers(len(buffer)))
            for place in generator.permutation(len(buffer)):
                yield buffer[place]

        return Dataset(make, self._length)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """`batch_size` elements stacked along a new first axis."""

        def make() -> Iterator[Any]:
            elements = iter(self)
            while part := list(islice(elements, batch_size)):
                if drop_remainder and len(part) < batch_size:
                    return
                yield stack(part)

        length = self._length
        if length is not None:
            length = length // batch_size if drop_remainder else ceil(length / batch_size)
        return Dataset(make, length)

    def unbatch(self) -> Dataset:
        """The rows of each element as elements."""

        def make() -> Iterator[Any]:
            for element in self:
                rows = len(jax.tree.leaves(element)[0])
                for row in range(rows):
                    yield jax.tree.map(lambda leaf, row=row: leaf[row], element)

        return Dataset(make)

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An iterator over the elements, which are NumPy arrays already."""
        return iter(self)

    def cardinality(self) -> int:
        """Number of elements; -2 if not known."""
        return -2 if self._length is None else self._length


def stack(elements: list[Any]) -> Any:
    """Structures of arrays as one structure with a new first axis; text stays text."""

    def join(*leaves: Any) -> np.ndarray:
        if isinstance(leaves[0], str):
            return np.array(leaves, object)
        return np.stack([np.asarray(leaf) for leaf in leaves])

    return jax.tree.map(join, *elements)


def in_order(
    function: Callable[[Any], Any], items: Iterable[Any], workers: int | None = None, ahead: int = 2
) -> Iterator[Any]:
    """``map(function, items)``, worked on by threads a few items ahead, results in order."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Any] = deque()
        depth = (workers or pool._max_workers) + ahead
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _orders(seed: int | None) -> Iterator[np.random.Generator]:
    """A generator for each pass, the same ones in every run for a given seed."""
    start = draw_seed() if seed is None else seed
    number = 0
    while True:
        yield np.random.default_rng([start, number])
        number += 1


class IndexedDataset(Dataset):
    """Batches of examples that are made one by one, in threads, from their numbers.

    Args:
        size: number of examples.
        load: the example of a number: an array, a string or a tuple of such.
        batch_size: examples of a batch; None for single examples.
        shuffle: whether each pass has an order of its own.
        seed: makes the orders repeatable.
        join: a list of examples as a batch.
        workers: threads that load.
    """

    def __init__(
        self,
        size: int,
        load: Callable[[int], Any],
        batch_size: int | None,
        shuffle: bool = False,
        seed: int | None = None,
        join: Callable[[list[Any]], Any] = stack,
        workers: int = 8,
    ) -> None:
        orders = _orders(seed)

        def make() -> Iterator[Any]:
            order = next(orders).permutation(size) if shuffle else np.arange(size)
            examples = in_order(load, order.tolist(), workers, 2 * (batch_size or 1))
            if batch_size is None:
                yield from examples
                return
            while part := list(islice(examples, batch_size)):
                yield join(part)

        super().__init__(make, size if batch_size is None else ceil(size / batch_size))
