"""Rows that are in two parts of a split, equal or nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.data.parts.alike import WIDE, Near, near_pairs
from slipstream.data.parts.alike_texts import alike_texts, are_texts
from slipstream.data.parts.rows import plain_columns
from slipstream.data.quality.rows import first_alike, joined
from slipstream.data.quality.tables import Reader, Table

SHOWN = 5  # rows named in a printed report


@dataclass(frozen=True)
class Leaks:
    """Rows whose twin is in an earlier part; printed, some of them and what to do.

    Attributes:
        rows: ``(leaks,)`` numbers of the rows, in the data that were split.
        twins: ``(leaks,)`` number of a row that each is like, or is like one like it.
        equal: ``(leaks,)`` whether the two are equal rather than nearly so.
        parts: ``(leaks,)`` name of the part of each row.
        twin_parts: ``(leaks,)`` name of the part of its twin.
        held_out: how many rows are not in the first part.
    """

    rows: np.ndarray
    twins: np.ndarray
    equal: np.ndarray
    parts: np.ndarray
    twin_parts: np.ndarray
    held_out: int

    @property
    def ok(self) -> bool:
        """Whether there are none."""
        return not len(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        if self.ok:
            return f"Leaks: none of {self.held_out:,} held-out rows has a twin in another part."
        equal, few = int(self.equal.sum()), len(self.rows) == 1
        lines = [
            f"Leaks: {len(self.rows):,} of {self.held_out:,} held-out rows "
            f"{'has a twin' if few else 'have twins'} in another part ({equal:,} equal, "
            f"{len(self.rows) - equal:,} nearly equal)."
        ]
        for place in range(min(SHOWN, len(self.rows))):
            lines.append(
                f"  {self.parts[place]} row {self.rows[place]} "
                f"{'equals' if self.equal[place] else 'is nearly'} "
                f"{self.twin_parts[place]} row {self.twins[place]}"
            )
        if len(self.rows) > SHOWN:
            lines.append(f"  and {len(self.rows) - SHOWN:,} more (leaks.rows, leaks.twins)")
        lines.append(
            "  Split again with keep_together=True, or leave these rows out: what was learned by "
            "heart looks like skill."
        )
        return "\n".join(lines)


def find_leaks(parts: Sequence[tuple[str, Any, np.ndarray]]) -> Leaks:
    """Rows of each part that are like one of a part before it.

    Args:
        parts: name, inputs and row numbers of each; empty ones are passed over.
    """
    parts = [part for part in parts if len(part[2])]
    names = np.array([name for name, _, _ in parts])
    numbers = np.concatenate([rows for _, _, rows in parts])
    place = np.repeat(np.arange(len(parts)), [len(rows) for _, _, rows in parts])
    reader = Reader()
    each = [reader.tables(plain_columns(x), name) for name, x, _ in parts]
    tables = [
        Table(same[0].names, np.concatenate([t.values for t in same]), same[0].numbers,
              same[0].picture)
        for same in zip(*each)
    ]  # fmt: skip
    equal, near = _alike(tables, reader)
    # The parts follow each other, so the first of a kind is in the earliest.
    equal_first, near_first = _first(equal), _first(near)
    is_equal = place > place[equal_first]
    leaking = np.flatnonzero(is_equal | (place > place[near_first]))
    twins = np.where(is_equal, equal_first, near_first)[leaking]
    return Leaks(
        numbers[leaking],
        numbers[twins],
        is_equal[leaking],
        names[place[leaking]],
        names[place[twins]],
        int((place > 0).sum()),
    )


def kinds(x: Any) -> np.ndarray:
    """A number for each row ``(rows,)``, equal for rows that are equal or nearly so."""
    reader = Reader()
    return _alike(reader.tables(plain_columns(x), "x"), reader)[1]


def _first(kind: np.ndarray) -> np.ndarray:
    """For each row the number of the first one of its kind."""
    _, first, number = np.unique(kind, return_index=True, return_inverse=True)
    return first[number]


def _alike(tables: list[Table], reader: Reader) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers for each row: equal for equal rows, and equal for nearly equal ones as well."""
    leaders = first_alike([table.values for table in tables])
    rows = len(leaders)
    exact = np.stack([np.arange(rows), leaders], 1)
    numbers = [table for table in tables if table.numbers]
    codes = [_near_codes(table, reader) for table in tables if not table.numbers]
    gaps = [np.isnan(t.values) for t in numbers if t.values.dtype.kind == "f" and not t.picture]
    codes += [missing for missing in gaps if missing.any()]
    base = first_alike(codes) if codes else np.zeros(rows, np.int64)
    if not numbers:
        return leaders, joined(np.stack([np.arange(rows), base], 1), rows)
    distinct = np.flatnonzero(leaders == np.arange(rows))
    pairs = near_pairs([Near(t.values, t.picture) for t in numbers], base, distinct)
    if len(pairs) and not any(t.picture or t.values.shape[1] >= WIDE for t in numbers):
        chance = _by_chance(numbers, base, distinct)
        if 2 * chance >= len(pairs):  # rows of few columns are near each other anyway
            pairs = pairs[:0]
    return leaders, joined(np.concatenate([exact, pairs]), rows)


def _by_chance(tables: list[Table], base: np.ndarray, distinct: np.ndarray) -> int:
    """Nearly equal rows where each column is shuffled by itself."""
    generator = np.random.default_rng(0)
    mixed = [Near(generator.permuted(table.values, axis=0), False) for table in tables]
    return len(near_pairs(mixed, base, distinct))


def _near_codes(table: Table, reader: Reader) -> np.ndarray:
    """Codes of texts and categories, in which nearly equal texts have one."""
    found = table.values.copy()
    for place, name in enumerate(table.names):
        texts = [str(text) for text in reader._codes[name]]
        if are_texts(texts):
            same = joined(alike_texts(texts), len(texts))
            known = found[:, place] >= 0
            found[known, place] = same[found[known, place]]
    return found
