"""Streams of files that are read in pieces: tables and arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import numpy as np

from slipstream.data.streams.ahead import Workers
from slipstream.data.streams.code import content_of
from slipstream.data.streams.columns import Columns
from slipstream.data.streams.pieces import Piece, Window, rows_in, share_of, split_up, windows_of
from slipstream.data.streams.stream import Failure, Made, Options, Stream, rows_of, transformed, why


class PartedFile(Protocol):
    """Something that can be read part by part.

    Attributes:
        path: what it is called in errors.
        sizes: rows and bytes of each part.
    """

    path: str
    sizes: list[tuple[int, int]]

    def read(self, part: int, names: Sequence[str]) -> Columns:
        """Some columns of a part."""
        ...


@dataclass(frozen=True)
class Reading:
    """Reads a piece; sent to worker processes whole.

    Attributes:
        files: what is read.
        names: the columns.
        shape: makes a batch of columns.
        transform: the user's function, or None.
    """

    files: Sequence[PartedFile]
    names: Sequence[str]
    shape: Callable[[Columns], Any]
    transform: Callable[..., Any] | None

    def __call__(self, piece: Piece) -> Made:
        """The rows of a piece, or why there are none."""
        file = self.files[piece.file]
        try:
            columns = file.read(piece.part, self.names)
            for name, column in columns.items():
                if len(column) != file.sizes[piece.part][0]:
                    raise ValueError(
                        f"part {piece.part} has {len(column)} rows of {name!r} and declares "
                        f"{file.sizes[piece.part][0]}"
                    )
            chosen = slice(piece.start, piece.start + piece.rows)
            data = self.shape({name: column[chosen] for name, column in columns.items()})
        except ImportError:
            raise
        except Exception as error:  # decoders raise many kinds of errors on damaged files
            return Made(None, ((file.path, why(error)),))
        return Made(transformed(self.transform, data, file.path))


class PieceStream(Stream):
    """Rows of parted files.

    Args:
        reading: how pieces are read.
        options: how rows are given.
        bad: files that could not be opened.
        what: what the data are called in errors.
        shard: number of this host, and how many there are.
    """

    def __init__(
        self,
        reading: Reading,
        options: Options,
        bad: list[Failure],
        what: str,
        shard: tuple[int, int] | None = None,
    ) -> None:
        self._reading = reading
        self._pieces = [
            piece
            for number, file in enumerate(reading.files)
            for piece in split_up(number, file.sizes)
        ]
        if shard is not None:
            self._pieces = share_of(self._pieces, *shard)
        super().__init__(sum(piece.rows for piece in self._pieces), options, bad, what)
        self._workers = Workers(reading, int(options.workers))
        self._kind: Any = None

    def _batches(self, seed: int, number: int, skip: int) -> Iterator[Any]:
        shuffle = self._options.shuffle
        windows = windows_of(self._pieces, shuffle, np.random.default_rng([seed, number]))
        place, at = 0, skip * self.batch_size
        while place < len(windows) and at >= rows_in(windows[place]):
            at -= rows_in(windows[place])
            place += 1
        made = self._workers(
            [piece for window in windows[place:] for piece in window], lambda piece: piece.bytes
        )
        parts: list[Any] = []
        room = self.batch_size
        for index in range(place, len(windows)):
            window = windows[index]
            block = self._block(window, made)
            order = None
            if shuffle:
                order = np.random.default_rng([seed, number, index]).permutation(rows_in(window))
            while at < rows_in(window):
                count = min(room, rows_in(window) - at)
                parts.append(block.rows(order, at, count))
                at, room = at + count, room - count
                if not room:
                    yield _join(parts)
                    parts, room = [], self.batch_size
            at = 0
            del block  # before the next one is filled
        if parts:
            yield _join(parts)

    def _block(self, window: Window, made: Iterator[Made]) -> _Block:
        """The rows of a window, with gaps where they could not be read."""
        block = _Block(rows_in(window))
        at = 0
        for piece in window:
            data, failures = next(made)
            if data is not None:
                reason = self._misfit(data)
                if reason:
                    data, failures = None, ((self._reading.files[piece.file].path, reason),)
            self._saw(failures)
            block.fill(at, piece.rows, data)
            at += piece.rows
        return block

    def _misfit(self, data: Any) -> str | None:
        """Why rows cannot stand in one batch with those before, if so."""
        kind = [
            (jax.tree_util.keystr(path), leaf.shape[1:], str(leaf.dtype))
            for path, leaf in jax.tree.flatten_with_path(data)[0]
        ]
        if self._kind is None:
            self._kind = kind
        if kind == self._kind:
            return None
        return f"its rows are {kind}, where those before are {self._kind}"

    def _content(self) -> list[Any]:
        files = [content_of(file.path) for file in self._reading.files]
        return [files, self._pieces, self._reading.names, repr(self._reading.shape)]

    def _in_order(self) -> Iterator[Any]:
        for data, failures in self._workers(self._pieces, lambda piece: piece.bytes):
            self._saw(failures)
            if data is not None:
                yield data

    def _first(self) -> Any:
        for piece in self._pieces:
            data, failures = self._reading(piece)
            self._saw(failures)
            if data is not None:
                return data
        raise ValueError(f"Nothing in {self._what} could be read: {self.bad[:3]}.")


class _Block:
    """Consecutive rows, some of which may be missing."""

    def __init__(self, rows: int) -> None:
        self.size = rows
        self.data: Any = None
        self.there: np.ndarray | None = None  # which rows there are, if not all

    def fill(self, at: int, rows: int, data: Any) -> None:
        if data is None:
            if self.there is None:
                self.there = np.ones(self.size, bool)
            self.there[at : at + rows] = False
        elif rows == self.size:
            self.data = data
        else:
            if self.data is None:
                self.data = jax.tree.map(
                    lambda leaf: np.empty((self.size, *leaf.shape[1:]), leaf.dtype), data
                )
            for whole, leaf in zip(jax.tree.leaves(self.data), jax.tree.leaves(data)):
                whole[at : at + rows] = leaf

    def rows(self, order: np.ndarray | None, at: int, count: int) -> Any:
        """Some rows in the given order, without those that are missing; None for no row."""
        if self.data is None:
            return None
        if order is None and self.there is None:
            return jax.tree.map(lambda leaf: leaf[at : at + count], self.data)
        chosen = np.arange(at, at + count) if order is None else order[at : at + count]
        if self.there is not None:
            chosen = chosen[self.there[chosen]]
        if not len(chosen):
            return None
        return jax.tree.map(lambda leaf: leaf[chosen], self.data)


def _join(parts: list[Any]) -> Any:
    found = [part for part in parts if part is not None and rows_of(part)]
    if not found:
        return None
    if len(found) == 1:
        return found[0]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)
