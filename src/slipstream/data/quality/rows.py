"""Which rows of tables are equal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def first_alike(tables: Sequence[np.ndarray]) -> np.ndarray:
    """For each row the number of the first one that is equal to it in all tables."""
    rows = len(tables[0])
    words = [_words(table) for table in tables]
    mixed = np.zeros(rows, np.uint64)
    numbers = np.random.default_rng(0)
    for part in words:
        odd = numbers.integers(0, 2**63, part.shape[1], np.uint64) * np.uint64(2) + np.uint64(1)
        for begin in range(0, rows, step := max(1, 2**16 // part.shape[1])):
            block = part[begin : begin + step]
            mixed[begin : begin + step] += ((block ^ (block >> np.uint64(29))) * odd).sum(1)
        mixed ^= mixed >> np.uint64(32)
    order = np.argsort(mixed, kind="stable")
    starts = np.ones(rows, bool)
    starts[1:] = mixed[order[1:]] != mixed[order[:-1]]
    leaders = np.empty(rows, np.int64)
    leaders[order] = order[starts][np.cumsum(starts) - 1]
    # Equal hashes are proved equal; one that is not stands for itself.
    later = np.flatnonzero(leaders != np.arange(rows))
    for part in words:
        leaders[later] = np.where(
            (part[later] == part[leaders[later]]).all(1), leaders[later], later
        )
    return leaders


def _words(table: np.ndarray) -> np.ndarray:
    """Rows as 64-bit words that are equal where the values are: one zero, one NaN."""
    if table.dtype.kind == "f":
        table = table + np.float32(0)
        table[np.isnan(table)] = np.nan
    spare = -table.shape[1] * table.itemsize % 8
    if spare:
        filled = np.zeros((len(table), table.shape[1] + spare // table.itemsize), table.dtype)
        filled[:, : table.shape[1]] = table
        table = filled
    return np.ascontiguousarray(table).view(np.uint64)


def joined(pairs: np.ndarray, rows: int) -> np.ndarray:
    """A number for each row, from 0 without a gap, equal for rows that chains of pairs connect.

    Args:
        pairs: ``(pairs, 2)`` row numbers.
        rows: how many there are.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.int8)
    links = coo_matrix((ones, (pairs[:, 0], pairs[:, 1])), shape=(rows, rows))
    return connected_components(links, directed=False)[1].astype(np.int64)
