"""In which order the pieces of data come: a function of the seed and the number of the pass."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WINDOW_BYTES = 64 * 2**20  # of data that are shuffled together


class Piece(NamedTuple):
    """Rows that are read at once, a row group of a Parquet file for instance.

    Attributes:
        file: number of the file.
        part: number of the part within the file.
        start, rows: which rows of the part.
        bytes: about how large they are in memory.
    """

    file: int
    part: int
    start: int
    rows: int
    bytes: int


Window = list[Piece]


def share_of(pieces: list[Piece], index: int, count: int) -> list[Piece]:
    """The pieces of one of several hosts: as many rows as the others' have, give or take one.

    A host takes every `count`-th piece, so that each sees all parts of sorted data; some are cut.
    """
    dealt = [piece for host in range(count) for piece in pieces[host::count]]
    total = sum(piece.rows for piece in dealt)
    first, last = index * total // count, (index + 1) * total // count
    chosen, at = [], 0
    for piece in dealt:
        begin, end = max(first - at, 0), min(last - at, piece.rows)
        if begin < end:
            size = piece.bytes * (end - begin) // piece.rows
            chosen.append(piece._replace(start=piece.start + begin, rows=end - begin, bytes=size))
        at += piece.rows
    return chosen


def windows_of(
    pieces: list[Piece], shuffle: bool | int, generator: np.random.Generator
) -> list[Window]:
    """The pieces of a pass in their order, those together whose rows are shuffled together.

    Args:
        pieces: all of them.
        shuffle: False for the order of the files; a number for so many rows a window, at least.
        generator: draws the order.
    """
    if not shuffle:
        return [[piece] for piece in pieces]
    rows_wanted = shuffle if shuffle is not True else None
    windows: list[Window] = []
    rows = size = 0
    for place in generator.permutation(len(pieces)):
        piece = pieces[place]
        full = rows >= rows_wanted if rows_wanted else size + piece.bytes > WINDOW_BYTES
        if full or not windows:
            windows.append([])
            rows = size = 0
        windows[-1].append(piece)
        rows += piece.rows
        size += piece.bytes
    return windows


def rows_in(window: Window) -> int:
    """Rows of all its pieces."""
    return sum(piece.rows for piece in window)


def split_up(file: int, sizes: list[tuple[int, int]]) -> list[Piece]:
    """The pieces of a file from rows and bytes of its parts; parts without rows are none."""
    return [Piece(file, part, 0, rows, size) for part, (rows, size) in enumerate(sizes) if rows]
