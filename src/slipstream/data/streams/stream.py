"""`Stream`: batches of data that need not fit into memory, from any position on."""

from __future__ import annotations

import copy
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from math import ceil
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.data.dataset import Dataset, Place

Failure = tuple[str, str]  # the file, and what is wrong with it


class Made(NamedTuple):
    """What came of a piece of work.

    Attributes:
        data: structure of arrays, or None if nothing could be read.
        failures: files that could not be read.
    """

    data: Any
    failures: tuple[Failure, ...] = ()


class Options(NamedTuple):
    """How a stream gives its rows.

    Attributes:
        batch_size: rows of a batch.
        shuffle: whether each pass has an order of its own; a number for a window of so many rows.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.
        transform: a function of some rows that gives as many.
        workers: processes that read and transform; 0 for threads.
        errors: ``"skip"`` or ``"raise"``.
    """

    batch_size: int = 32
    shuffle: bool | int = False
    seed: int | None = None
    transform: Callable[..., Any] | None = None
    workers: int = 0
    errors: str = "skip"

    def check(self) -> None:
        """Refuse values that make no sense.

        Raises:
            ValueError: naming the argument.
        """
        for name, least in (("batch_size", 1), ("workers", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
                raise ValueError(f"{name} must be a whole number, at least {least}; got {value!r}.")
        if self.errors not in ("skip", "raise"):
            raise ValueError(f"errors must be 'skip' or 'raise'; got {self.errors!r}.")
        if not isinstance(self.shuffle, (bool, int)) or self.shuffle < 0:
            raise ValueError(
                f"shuffle must be True, False or a number of rows; got {self.shuffle!r}."
            )


class Stream(Dataset):
    """Batches of files, tables or examples, read while the device works. Made by `read`.

    `fit`, `evaluate` and `predict` take it as it is. The order of a pass follows from the seed and
    the number of the pass alone, so that a resumed run goes on with the next example.

    Attributes:
        rows: rows of a pass; None if not known.
        batch_size: rows of a batch; the last one of a pass may have fewer.
        bad: ``(path, reason)`` of each file, or part of one, that could not be read.
    """

    def __init__(self, rows: int | None, options: Options, bad: list[Failure], what: str) -> None:
        options.check()
        if rows == 0:
            raise ValueError(f"{what} has no rows. Pass data with at least one example.")
        self.rows = rows
        self.batch_size = int(options.batch_size)
        self.seed = options.seed
        self.bad = bad
        self._options = options
        self._what = what
        self._told = [0]  # shared with the streams made from this one
        self._mapped: tuple[Callable[..., Any], ...] = ()
        self._length = None if rows is None else ceil(rows / self.batch_size)

    def batches(self, seed: int, number: int, skip: int = 0) -> Iterator[Any]:
        """The batches of a pass, ``x`` or ``(x, y)``.

        Args:
            seed: fixes the orders of all passes; an own `seed` of the stream goes first.
            number: number of the pass, from 0.
            skip: batches to leave out at the beginning; what lies before is not read.
        """
        return self.at(Place(seed, number, skip))

    def places(self, seed: int, number: int, skip: int = 0) -> Iterator[Any]:
        """As `batches`, with None where nothing of a batch could be read: each keeps its place."""
        seed = seed if self._options.seed is None else self._options.seed
        try:
            for batch in self._batches(seed, number, skip):
                yield None if batch is None else self._finished(batch)
        finally:
            self._warn()

    def _finished(self, batch: Any) -> Any:
        for function in self._mapped:
            batch = apply(function, batch)
        return batch

    @abstractmethod
    def _batches(self, seed: int, number: int, skip: int) -> Iterator[Any]:
        """Batches in their places."""

    @abstractmethod
    def _content(self) -> list[Any]:
        """What the rows follow from, the user's function apart: the key of a cache."""

    @abstractmethod
    def _in_order(self) -> Iterator[Any]:
        """All rows, in the order of the files, in pieces."""

    @abstractmethod
    def _first(self) -> Any:
        """Some of the first rows."""

    def first(self) -> Any:
        """Up to a batch of rows, to build a model with; reads no more than it must."""
        batch = jax.tree.map(lambda leaf: leaf[: self.batch_size], self._first())
        return self._finished(batch)

    def map(self, function: Callable[..., Any], num_parallel_calls: int | None = None) -> Stream:
        """`function` of each batch; the parts of a tuple are its arguments.

        Batches keep their places. It runs in one thread, while the device works; what takes long
        is better given to `read` as `transform`.
        """
        new = copy.copy(self)
        new._mapped = (*self._mapped, function)
        return new

    def cached(self, folder: Any = None) -> Stream:
        """The same rows, read and transformed once and kept in a file.

        The file's name follows from paths, sizes and times of the files, the columns and the code
        of `transform`: whatever changes makes a new one. Functions given to `map` still run in each
        pass. Only a whole cache is ever used.

        Args:
            folder: where the file is kept; our own cache if not given.

        Raises:
            ValueError: if the data are no files, rows differ in shape, or the code of `transform`
                cannot be seen.
        """
        from slipstream.data.streams.kept import kept

        return kept(self, folder)

    def _saw(self, failures: tuple[Failure, ...]) -> None:
        """Note files that could not be read, or raise, as the user chose."""
        for path, reason in failures:
            if self._options.errors == "raise":
                raise unreadable(path, reason)
            if (path, reason) not in self.bad:
                self.bad.append((path, reason))

    def _warn(self) -> None:
        if len(self.bad) > self._told[0]:
            self._told[0] = len(self.bad)
            shown = "; ".join(f"{path!r}: {reason}" for path, reason in self.bad[:3])
            more = f"; and {len(self.bad) - 3} more" if len(self.bad) > 3 else ""
            warnings.warn(
                f"{len(self.bad)} of the files or their parts could not be read and were left "
                f"out: {shown}{more}. All are in the stream's `bad`.",
                stacklevel=4,  # whoever goes through the stream
            )


def apply(function: Callable[..., Any], batch: Any) -> Any:
    """`function` of a batch; the parts of a tuple are its arguments."""
    return function(*batch) if isinstance(batch, tuple) else function(batch)


def transformed(function: Callable[..., Any] | None, data: Any, path: str) -> Any:
    """Rows through the user's function.

    Raises:
        RuntimeError: naming the file, if the function fails or changes the number of rows.
    """
    if function is None:
        return data
    rows = rows_of(data)
    try:
        new = apply(function, data)
    except Exception as error:
        raise RuntimeError(
            f"transform failed on rows of {path!r}: {type(error).__name__}: {error}"
        ) from error
    if any(np.ndim(leaf) == 0 or len(leaf) != rows for leaf in jax.tree.leaves(new)):
        shapes = [np.shape(leaf) for leaf in jax.tree.leaves(new)]
        raise RuntimeError(
            f"transform made arrays of shapes {shapes} of {rows} rows of {path!r}. It must give as "
            "many rows as it got."
        )
    return new


def rows_of(data: Any) -> int:
    """Rows of a structure of arrays."""
    return len(jax.tree.leaves(data)[0])


def unreadable(path: str, reason: str) -> ValueError:
    """The error of a file that cannot be read."""
    return ValueError(
        f"{path!r} could not be read: {reason}. Repair or remove it"
        ", or leave it out with errors='skip' where there are others."
    )


def why(error: BaseException) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:300]
