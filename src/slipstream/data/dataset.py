"""`Dataset`: elements that can be gone through again and again, and datasets made from them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import ceil
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.core.random import draw_seed
from slipstream.data.prefetch import prefetch


class Place(NamedTuple):
    """Where to begin: all that the elements from there on follow from.

    Attributes:
        seed: fixes the orders of all passes, where a dataset has no seed of its own.
        number: number of the pass, from 0.
        skip: elements of it to leave out at the beginning.
    """

    seed: int
    number: int = 0
    skip: int = 0


class Dataset:
    """Elements, usually batches, made anew in each pass.

    `fit` takes one as it is. The methods give new datasets and change nothing; they carry the names
    of `tf.data`, so that scripts written for it go on working. Orders drawn by `shuffle` follow
    from a seed and the number of the pass alone, so that a resumed run goes on with the next
    element.

    Args:
        make: gives an iterator for a new pass.
        length: number of elements; None if not known.

    Attributes:
        bad: ``(path, reason)`` of each file, or part of one, that could not be read. Shared with
            the datasets made from this one.
    """

    _seed: int | None = None  # of the passes that are gone through by hand
    _passes = 0

    def __init__(self, make: Callable[[], Iterator[Any]], length: int | None = None) -> None:
        self._make = make
        self._length = length
        self.bad: list[tuple[str, str]] = []

    @classmethod
    def from_iterable(cls, items: Iterable[Any]) -> Dataset:
        """A dataset of what an iterable (not a one-way iterator) gives."""
        return Dataset(lambda: iter(items), len(items) if isinstance(items, Sized) else None)

    def __iter__(self) -> Iterator[Any]:
        if self._seed is None:
            self._seed = draw_seed()
        self._passes += 1
        return self.at(Place(self._seed, self._passes - 1))

    def at(self, place: Place) -> Iterator[Any]:
        """The elements of a pass from a place on."""
        return (element for element in self.places(*place) if element is not None)

    def places(self, seed: int, number: int, skip: int = 0) -> Iterator[Any]:
        """The same with None where nothing of an element could be read: each keeps its place."""
        return islice(self._make(), skip, None)

    def _derived(
        self, make: Callable[[Place], Iterator[Any]], length: int | None = None
    ) -> Dataset:
        return Placed(make, length, self.bad)

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
            if element is None:
                return None
            return function(*element) if isinstance(element, tuple) else function(element)

        if not num_parallel_calls:
            return self._derived(lambda place: map(apply, self.places(*place)), self._length)
        workers = None if num_parallel_calls < 0 else num_parallel_calls
        return self._derived(
            lambda place: in_order(apply, self.places(*place), workers), self._length
        )

    def prefetch(self, buffer_size: int = -1) -> Dataset:
        """The same elements, made up to `buffer_size` ahead by a thread."""
        depth = buffer_size if buffer_size > 0 else 2
        return self._derived(lambda place: prefetch(self.places(*place), depth), self._length)

    def cache(self) -> Dataset:
        """The same elements, kept in memory once all have been made: those of the first pass."""
        kept: list[Any] = []

        def make(place: Place) -> Iterator[Any]:
            if kept:
                yield from islice(kept[0], place.skip, None)
                return
            seen: list[Any] = []
            for element in self.places(place.seed, 0):
                seen.append(element)
                if len(seen) > place.skip:
                    yield element
            kept[:] = [seen]

        return self._derived(make, self._length)

    def take(self, count: int) -> Dataset:
        """The first `count` elements; all for -1. Those that cannot be read count."""
        if count < 0:
            return self
        length = None if self._length is None else min(count, self._length)
        return self._derived(
            lambda place: islice(self.places(*place), max(count - place.skip, 0)),
            length,
        )

    def skip(self, count: int) -> Dataset:
        """All but the first `count` elements."""
        length = None if self._length is None else max(self._length - count, 0)
        return self._derived(
            lambda place: self.places(place.seed, place.number, count + place.skip), length
        )

    def repeat(self, count: int | None = None) -> Dataset:
        """`count` passes, one after the other; without end if not given."""

        def make(place: Place) -> Iterator[Any]:
            done, skip = divmod(place.skip, self._length) if self._length else (0, 0)
            found = True
            while found and (count is None or done < count):
                found = False
                number = place.number * (count or 1) + done
                for element in self.places(place.seed, number, skip):
                    found = True
                    yield element
                done, skip = done + 1, 0

        def begin(place: Place) -> Iterator[Any]:
            # Whole passes need not be made to be left out, where it is known how long they are.
            return make(place) if self._length else islice(make(place), place.skip, None)

        whole = None if count is None or self._length is None else count * self._length
        return self._derived(begin, whole)

    def shuffle(self, buffer_size: int, seed: int | None = None) -> Dataset:
        """Another order in each pass, drawing from `buffer_size` elements at a time."""

        def make(place: Place) -> Iterator[Any]:
            generator = np.random.default_rng([_own(seed, place), place.number])
            buffer: list[Any] = []
            for element in self.places(place.seed, place.number):
                buffer.append(element)
                if len(buffer) >= buffer_size:
                    yield buffer.pop(generator.integers(len(buffer)))
            for number in generator.permutation(len(buffer)):
                yield buffer[number]

        return self._derived(lambda place: islice(make(place), place.skip, None), self._length)

    def batch(self, batch_size: int, drop_remainder: bool = False) -> Dataset:
        """`batch_size` elements stacked along a new first axis."""

        def make(place: Place) -> Iterator[Any]:
            elements = self.places(place.seed, place.number, place.skip * batch_size)
            while part := list(islice(elements, batch_size)):
                if drop_remainder and len(part) < batch_size:
                    return
                found = [element for element in part if element is not None]
                yield stack(found) if found else None

        length = self._length
        if length is not None:
            length = length // batch_size if drop_remainder else ceil(length / batch_size)
        return self._derived(make, length)

    def unbatch(self) -> Dataset:
        """The rows of each element as elements."""

        def make(place: Place) -> Iterator[Any]:
            for element in self.at(place._replace(skip=0)):
                rows = len(jax.tree.leaves(element)[0])
                for row in range(rows):
                    yield jax.tree.map(lambda leaf, row=row: leaf[row], element)

        return self._derived(lambda place: islice(make(place), place.skip, None))

    def as_numpy_iterator(self) -> Iterator[Any]:
        """An iterator over the elements, which are NumPy arrays already."""
        return iter(self)

    def cardinality(self) -> int:
        """Number of elements; -2 if not known."""
        return -2 if self._length is None else self._length


class Placed(Dataset):
    """A dataset whose passes may begin anywhere.

    Args:
        make: gives the elements from a place on, None in the place of what could not be read.
        length: number of elements of a pass; None if not known.
        bad: what could not be read, kept up to date by whoever reads.
    """

    def __init__(
        self,
        make: Callable[[Place], Iterator[Any]],
        length: int | None = None,
        bad: list[tuple[str, str]] | None = None,
    ) -> None:
        self._make_at = make
        self._length = length
        self.bad = [] if bad is None else bad

    def places(self, seed: int, number: int, skip: int = 0) -> Iterator[Any]:
        """The elements of a pass from a place on, None where nothing could be read."""
        return self._make_at(Place(seed, number, skip))


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


def _own(seed: int | None, place: Place) -> int:
    return place.seed if seed is None else seed


class IndexedDataset(Placed):
    """Batches of examples that are made one by one, in threads, from their numbers.

    Args:
        numbers: the examples' numbers, or how many there are.
        load: the example of a number: an array, a string or a tuple of such.
        batch_size: examples of a batch; None for single examples.
        shuffle: whether each pass has an order of its own.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.
        join: a list of examples as a batch.
        workers: threads that load.
    """

    def __init__(
        self,
        numbers: int | np.ndarray,
        load: Callable[[int], Any],
        batch_size: int | None,
        shuffle: bool = False,
        seed: int | None = None,
        join: Callable[[list[Any]], Any] = stack,
        workers: int = 8,
    ) -> None:
        rows = np.arange(numbers) if isinstance(numbers, int) else numbers
        size = batch_size or 1

        def make(place: Place) -> Iterator[Any]:
            order = rows
            if shuffle:
                generator = np.random.default_rng([_own(seed, place), place.number])
                order = generator.permutation(rows)
            chosen = order[place.skip * size :].tolist()
            examples = in_order(load, chosen, workers, 2 * size)
            if batch_size is None:
                yield from examples
                return
            while part := list(islice(examples, batch_size)):
                yield join(part)

        super().__init__(make, ceil(len(rows) / size))
