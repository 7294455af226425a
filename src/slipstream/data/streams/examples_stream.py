"""Streams of examples that are made one by one from their numbers: pictures, sounds, texts …"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from slipstream.data.streams.ahead import Workers
from slipstream.data.streams.code import code_of, content_of
from slipstream.data.streams.stream import Failure, Made, Options, Stream, transformed, why


class Examples(Protocol):
    """Examples by number.

    Attributes:
        files: whether each is a file, which may be damaged.
    """

    files: bool

    def __len__(self) -> int: ...

    def __getitem__(self, number: int) -> Any:
        """An example: an array, a string or a structure of such."""
        ...

    def name(self, number: int) -> str:
        """What an example is called in errors."""
        ...

    def join(self, examples: list[Any]) -> Any:
        """Examples as a batch."""
        ...


@dataclass(frozen=True)
class Making:
    """Makes a batch of the examples with some numbers; sent to worker processes whole."""

    examples: Examples
    transform: Callable[..., Any] | None

    def __call__(self, numbers: np.ndarray) -> Made:
        """The batch without examples that could not be read."""
        found, failures = [], []
        for number in numbers.tolist():
            try:
                found.append(self.examples[number])
            except ImportError:
                raise
            except Exception as error:  # decoders raise many kinds of errors on damaged files
                name = self.examples.name(number)
                if not self.examples.files:
                    raise RuntimeError(f"{name} could not be made: {why(error)}") from error
                failures.append((name, why(error)))
        data = None
        if found:
            name = self.examples.name(int(numbers[0]))
            data = transformed(self.transform, self.examples.join(found), name)
        return Made(data, tuple(failures))


class RowStream(Stream):
    """Batches of examples.

    Args:
        examples: what is read.
        options: how rows are given; a window of rows is not needed, as all can be drawn from.
        what: what the data are called in errors.
        shard: number of this host, and how many there are.
    """

    def __init__(
        self,
        examples: Examples,
        options: Options,
        what: str,
        shard: tuple[int, int] | None = None,
    ) -> None:
        self.examples = examples
        index, count = shard or (0, 1)
        self._rows = np.arange(len(examples))[index::count]
        bad: list[Failure] = []
        super().__init__(len(self._rows), options, bad, what)
        self._making = Making(examples, options.transform)
        self._workers = Workers(self._making, int(options.workers))

    @property
    def class_names(self) -> list[str]:
        """Names of the classes, where folders are classes."""
        return list(getattr(self.examples, "class_names", []))

    def _batches(self, seed: int, number: int, skip: int) -> Iterator[Any]:
        rows = self._rows
        if self._options.shuffle:
            rows = np.random.default_rng([seed, number]).permutation(rows)
        size = self.batch_size
        numbers = [rows[at : at + size] for at in range(skip * size, len(rows), size)]
        for data, failures in self._workers(numbers, lambda _: 0):
            self._saw(failures)
            yield data

    def _content(self) -> list[Any]:
        names = [content_of(self.examples.name(number)) for number in self._rows.tolist()]
        return [names, code_of(getattr(self.examples, "_read", None))]

    def _in_order(self) -> Iterator[Any]:
        size = self.batch_size
        numbers = [self._rows[at : at + size] for at in range(0, len(self._rows), size)]
        for data, failures in self._workers(numbers, lambda _: 0):
            self._saw(failures)
            if data is not None:
                yield data

    def _first(self) -> Any:
        for at in range(0, len(self._rows), self.batch_size):
            data, failures = self._making(self._rows[at : at + self.batch_size])
            self._saw(failures)
            if data is not None:
                return data
        raise ValueError(f"Nothing in {self._what} could be read: {self.bad[:3]}.")
