"""Which rows of numbers are nearly equal, without comparing each with each.

Rows are projected on random directions and these are cut into cells (Datar, Immorlica, Indyk,
Mirrokni 2004, "Locality-sensitive hashing scheme based on p-stable distributions"). Rows that are
close mostly share all cells of one of several such hashes; sorted by it they lie side by side, and
only neighbours are compared in full.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WIDE = 64  # columns from which on an array of one scale is compared as a picture is
ONE_SCALE = 4.0  # largest spread of a column in terms of all, up to which they have one scale
COLUMN_SHARE = 0.01  # of a column's spread: how far nearly equal rows of a table may be apart
PICTURE_SHARE = 0.1  # of the usual distance of two rows: the same for pictures and recordings
TABLES, CELLS, WIDTH = 12, 10, 8.0  # hashes, projections in each, and the cells' width in radii
NEIGHBOURS = 4  # rows compared with each row in the order of each hash
BLOCK = 2**22  # numbers worked on at a time


class Near:
    """Finds nearly equal rows of one table.

    Pictures and recordings are compared by their distance after the mean of each row is taken off
    and its length made 1, so that light and contrast do not count. Columns of a table are divided
    by their spread; nearly equal rows must agree in each.

    Args:
        values: ``(rows, columns)`` numbers.
        picture: whether the columns are places in one picture or recording.
    """

    def __init__(self, values: np.ndarray, picture: bool) -> None:
        self.values = values
        self.mean, self.spread = _figures(values)
        one_scale = self.spread.max(initial=0) <= ONE_SCALE * np.sqrt((self.spread**2).mean())
        self.picture = picture or bool(values.shape[1] >= WIDE and one_scale)
        self.moving = self.spread > 0
        self.generator = np.random.default_rng(0)
        self.sketch = self._sketch()
        self.taking_part: np.ndarray = np.ones(len(values), bool)
        if self.picture:  # blank ones have no direction
            self.taking_part = np.asarray(self.sketch.any(1))
        self.radius = self._radius()

    def _scaled(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some rows as they are compared, float32; missing numbers stand at the mean."""
        block = self.values[rows].astype(np.float32)
        if not self.picture:
            block = (block[:, self.moving] - self.mean[self.moving]) / self.spread[self.moving]
            return np.nan_to_num(block, copy=False, posinf=0, neginf=0)
        if self.values.dtype.kind == "f":
            np.nan_to_num(block, copy=False, posinf=0, neginf=0)
        block -= block.mean(1, keepdims=True)
        size = np.sqrt(np.einsum("rc,rc->r", block, block))[:, None]
        return np.divide(block, size, out=np.zeros_like(block), where=size > 0)

    def _sketch(self) -> np.ndarray:
        """Each row on random directions: ``(rows, directions)``, which keeps distances roughly."""
        width = self.values.shape[1] if self.picture else int(self.moving.sum())
        directions = self.generator.standard_normal((width, TABLES * CELLS), np.float32)
        found = np.empty((len(self.values), TABLES * CELLS), np.float32)
        step = max(1, BLOCK // max(self.values.shape[1], 1))
        for begin in range(0, len(found), step):
            block = slice(begin, begin + step)
            np.matmul(self._scaled(block), directions, out=found[block])
        return found

    def _radius(self) -> float:
        """Greatest distance of nearly equal rows."""
        if not self.picture:
            return COLUMN_SHARE * float(np.sqrt(max(self.moving.sum(), 1)))
        rows = np.flatnonzero(self.taking_part)
        if len(rows) < 2:
            return 0.0
        one, other = self.generator.choice(rows, (2, 1000))
        usual = self._apart(one[one != other], other[one != other])
        return PICTURE_SHARE * float(np.median(usual)) if len(usual) else 0.0

    def _apart(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Roughly the distances of pairs of rows."""
        return np.sqrt(((self.sketch[one] - self.sketch[other]) ** 2).mean(1))

    def groups(
        self, base: np.ndarray, chosen: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each hash the rows that share it with others, sorted by it, and their hashes.

        Args:
            base: ``(rows,)`` numbers that have to be equal as well.
            chosen: ``(rows,)`` which rows there are to be.
        """
        if not self.radius or not self.moving.any():
            return
        hashes = self._hashes()
        places = np.flatnonzero(chosen & self.taking_part)
        for table in range(TABLES):
            mixed = base[places] + hashes[table, places]
            mixed ^= mixed >> 29
            shared = _repeated(mixed)
            # Within a cell by a direction of another hash, so that neighbours are close there too.
            along = self.sketch[places[shared], (table + 1) * CELLS % self.sketch.shape[1]]
            shared = shared[np.lexsort((along, mixed[shared]))]
            yield places[shared], mixed[shared]

    def _hashes(self) -> np.ndarray:
        """A number ``(hashes, rows)`` for the cells of each row in each hash."""
        drawn = [
            (
                self.generator.random(CELLS, np.float32),
                self.generator.integers(0, 2**62, CELLS) * 2 + 1,
            )
            for _ in range(TABLES)
        ]
        shift = np.concatenate([shifts for shifts, _ in drawn])
        odd = np.stack([odds for _, odds in drawn])
        found = np.empty((TABLES, len(self.sketch)), np.int64)
        step = 2**18 // len(shift)  # what fits into the processor's cache
        for begin in range(0, len(self.sketch), step):
            cells = self.sketch[begin : begin + step] / (WIDTH * self.radius)
            cells += shift
            whole = np.floor(cells, out=cells).astype(np.int64).reshape(-1, TABLES, CELLS)
            found[:, begin : begin + step] = np.einsum("rtc,tc->tr", whole, odd)
        return found

    def alike(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Which pairs of rows are nearly equal."""
        found = self.taking_part[one] & self.taking_part[other]
        step = max(1, BLOCK // self.sketch.shape[1])
        for begin in range(0, len(found), step):  # a rough look first
            block = slice(begin, begin + step)
            found[block] &= self._apart(one[block], other[block]) <= 1.5 * self.radius
        hopeful = np.flatnonzero(found)
        step = max(1, BLOCK // max(self.values.shape[1], 1))
        for begin in range(0, len(hopeful), step):
            pairs = hopeful[begin : begin + step]
            off = self._scaled(one[pairs]) - self._scaled(other[pairs])
            if self.picture:
                found[pairs] = np.einsum("rc,rc->r", off, off) <= self.radius**2
            else:
                found[pairs] = (np.abs(off) <= COLUMN_SHARE).all(1)
        return found


def near_pairs(tables: list[Near], base: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Pairs ``(pairs, 2)`` of nearly equal rows among some.

    Args:
        tables: what rows have to be nearly equal in, all of them.
        base: ``(all rows,)`` numbers that have to be equal as well.
        rows: numbers of the rows to compare.
    """
    chosen = np.zeros(len(base), bool)
    chosen[rows] = True
    found: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    for order, hashes in max(tables, key=lambda t: t.values.shape[1]).groups(base, chosen):
        for gap in range(1, NEIGHBOURS + 1):
            same = np.flatnonzero(hashes[gap:] == hashes[:-gap])
            found.append(np.sort(np.stack([order[same], order[same + gap]], 1), 1))
    pairs = np.concatenate(found)
    # One number for a pair is quicker to sort than two.
    pairs = np.unique(pairs[:, 0] * len(base) + pairs[:, 1])
    pairs = np.stack([pairs // len(base), pairs % len(base)], 1)
    pairs = pairs[base[pairs[:, 0]] == base[pairs[:, 1]]]
    for table in tables:
        pairs = pairs[table.alike(pairs[:, 0], pairs[:, 1])]
    return pairs


def _repeated(numbers: np.ndarray) -> np.ndarray:
    """Places of the numbers that occur more than once, rising."""
    # Those alone in a bucket need not be sorted, and these are most.
    last = 2 ** (4 * len(numbers) + 1).bit_length() - 1
    buckets = numbers & last
    places = np.flatnonzero(np.bincount(buckets, minlength=last + 1)[buckets] > 1)
    if not len(places):
        return places
    order = np.argsort(numbers[places])
    ordered = numbers[places[order]]
    again = ordered[1:] == ordered[:-1]
    return np.sort(places[order[np.append(False, again) | np.append(again, False)]])


def _figures(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of the finite numbers of each column, float32."""
    count = np.zeros(values.shape[1])
    total, square = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    step = max(1, BLOCK // max(values.shape[1], 1))
    origin = np.nan_to_num(values[:1].astype(np.float64), posinf=0, neginf=0)
    for begin in range(0, len(values), step):
        block = values[begin : begin + step]
        if block.dtype.kind == "f":
            known = np.isfinite(block)
            off = np.where(known, block - origin, 0)
            count += known.sum(0)
        else:
            off = block - origin
            count += len(block)
        total += off.sum(0)
        square += np.einsum("rc,rc->c", off, off)
    count = np.maximum(count, 1)
    mean = total / count
    spread = np.sqrt(np.maximum(square / count - mean**2, 0))
    spread[spread <= 1e-6 * np.abs(mean + origin[0])] = 0
    return (mean + origin[0]).astype(np.float32), spread.astype(np.float32)
