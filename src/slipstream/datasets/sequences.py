"""Texts as lists of word numbers: how such datasets are numbered, cut and filtered.

Arguments of their `load_data`:

- num_words: words of this number and above are rare; the highest there is if None.
- skip_top: words below this number are too frequent.
- maxlen: sequences of this length and above are left out; None for no limit.
- start_char: number put before each sequence; None for none.
- oov_char: number in the place of rare and too frequent words; None leaves them out.
- index_from: what is added to each word's rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Rows = list[list[int]]


def numbered(
    sequences: Any,
    labels: np.ndarray,
    start_char: int | None,
    index_from: int,
    maxlen: int | None,
) -> tuple[Rows, np.ndarray]:
    """Numbers for the ranks of words, and the labels, of all sequences that are short enough.

    Raises:
        ValueError: if none is.
    """
    first = [] if start_char is None else [start_char]
    shift = index_from or 0
    rows = [[*first, *(word + shift for word in row)] for row in sequences]
    if maxlen:
        short = [len(row) < maxlen for row in rows]
        rows = [row for row, kept in zip(rows, short) if kept]
        labels = labels[short]
        if not rows:
            raise ValueError(f"No sequence is shorter than maxlen={maxlen}. Raise it.")
    return rows, labels


def limited(rows: Rows, num_words: int | None, skip_top: int, oov_char: int | None) -> np.ndarray:
    """An array of lists, without the words that are too rare or too frequent."""
    end = num_words or max((max(row) for row in rows if row), default=0)
    if oov_char is None:
        rows = [[word for word in row if skip_top <= word < end] for row in rows]
    else:
        rows = [[w if skip_top <= w < end else oov_char for w in row] for row in rows]
    found = np.empty(len(rows), object)
    found[:] = rows
    return found
