"""Which rows go where: at random by class, by group, or by time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def by_class(
    strata: np.ndarray, validation: float, test: float, generator: np.random.Generator
) -> list[np.ndarray]:
    """Row numbers for training, validation and test, in rising order.

    Of each class the same shares go into each part; each part gets a row of it where there are
    enough, and training comes first.

    Args:
        strata: ``(rows,)`` class numbers; all equal where classes do not matter.
        validation, test: shares of all rows; a share of 0 leaves the part empty.
        generator: draws the rows.
    """
    parts: list[list[np.ndarray]] = [[np.zeros(0, np.int64)] for _ in range(3)]
    for label in range(int(strata.max(initial=-1)) + 1):
        members = generator.permutation(np.flatnonzero(strata == label))
        tested = _count(test, len(members), 1 + (validation > 0))
        judged = _count(validation, len(members) - tested, 1, len(members))
        cut = np.split(members, [tested, tested + judged])
        for part, members in zip(parts, (cut[2], cut[1], cut[0])):
            part.append(members)
    return [np.sort(np.concatenate(part)) for part in parts]


def _count(share: float, rows: int, others: int, whole: int | None = None) -> int:
    """Rows of one class for a part: at least one, and one is left for each of the other parts.

    Args:
        share: of the rows of the class.
        rows: how many are there still.
        others: parts that come after this one.
        whole: how many there were at first, if more than `rows`.
    """
    if not share:
        return 0
    return max(0, min(max(1, round(share * (whole or rows))), rows - others))


def by_group(
    groups: np.ndarray,
    strata: np.ndarray,
    shares: Sequence[float],
    generator: np.random.Generator,
) -> np.ndarray:
    """The part ``(rows,)`` of each row, such that no group is in two.

    Large groups are placed first, each where its classes are missing most; then any group is moved
    that stands better elsewhere. Parts come as near their shares, of each class, as this allows.

    Args:
        groups: ``(rows,)`` numbers from 0 without a gap.
        strata: ``(rows,)`` class numbers from 0.
        shares: of each part, 1 together; all above 0.
        generator: draws the order of groups of one size.

    Raises:
        ValueError: if there are fewer groups than parts.
    """
    count, classes = int(groups.max(initial=-1)) + 1, int(strata.max(initial=0)) + 1
    if count < len(shares):
        raise ValueError(
            f"{count} {'group' if count == 1 else 'groups'} of rows that belong together cannot be "
            f"parted into {len(shares)}. Bring more groups, or ask for fewer parts."
        )
    sizes = np.bincount(groups)
    mixed = generator.permutation(count)
    ordered = mixed[np.argsort(-sizes[mixed], kind="stable")]
    totals = np.append(np.bincount(strata, minlength=classes), len(strata))  # and all together
    board = _Board(totals, np.asarray(shares))
    contents = _contents(groups, strata, count, classes)
    single = sizes[ordered] == 1
    several = ordered[~single]
    for place, group in enumerate(several.tolist()):
        board.place(group, *contents(group), left=count - place)
    for group in several.tolist():
        board.move(group, *contents(group))
    alone = ordered[single]
    found = np.full(count, -1)
    for group, part in board.parts.items():
        found[group] = part
    if len(alone):
        of_row = np.empty(count, np.int64)
        of_row[groups] = strata
        board.fill(alone, of_row[alone], found)
    return found[groups]


class _Board:
    """What each part should hold of each class, and what it holds."""

    def __init__(self, totals: np.ndarray, shares: np.ndarray) -> None:
        self.wanted = np.outer(shares, totals)  # (parts, classes + 1)
        self.held = np.zeros_like(self.wanted)
        self.weight = 1 / np.maximum(totals, 1)
        self.parts: dict[int, int] = {}
        self.groups = np.zeros(len(shares), np.int64)

    def _cost(self, classes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """How much worse each part gets with so many rows more: ``(parts,)``."""
        over = self.held[:, classes] - self.wanted[:, classes]
        return ((rows + 2 * over) * rows * self.weight[classes]).sum(1)

    def place(self, group: int, classes: np.ndarray, rows: np.ndarray, left: int) -> None:
        cost = self._cost(classes, rows)
        empty = self.groups == 0
        if empty.sum() >= left:  # the last groups go where there is none
            cost[~empty] = np.inf
        self._put(group, int(cost.argmin()), classes, rows)

    def _put(self, group: int, part: int, classes: np.ndarray, rows: np.ndarray) -> None:
        self.held[part, classes] += rows
        self.groups[part] += 1
        self.parts[group] = part

    def move(self, group: int, classes: np.ndarray, rows: np.ndarray) -> None:
        """Put a group elsewhere if that is nearer to the shares and leaves no part empty."""
        old = self.parts[group]
        if self.groups[old] == 1:
            return
        self.held[old, classes] -= rows
        self.groups[old] -= 1
        cost = self._cost(classes, rows)
        cost[old] -= 1e-9  # of equals the one where it is
        self._put(group, int(cost.argmin()), classes, rows)

    def fill(self, alone: np.ndarray, strata: np.ndarray, found: np.ndarray) -> None:
        """Deal out groups of one row, which fill what the others left open.

        Args:
            alone: ``(groups,)`` numbers of the groups.
            strata: ``(groups,)`` class of each.
            found: ``(all groups,)`` parts, written to.
        """
        owed = np.zeros(len(self.wanted))  # what rounding took from a part in other classes
        for label in np.unique(strata):
            members = alone[strata == label]
            open_ = np.maximum(self.wanted[:, label] - self.held[:, label], 0)
            exact = open_ / open_.sum() * len(members) if open_.any() else self.wanted[:, label] * 0
            counts = np.floor(exact).astype(np.int64)
            rest = len(members) - int(counts.sum())
            for part in np.argsort(-(exact - counts + owed), kind="stable").tolist() * rest:
                if not rest:
                    break
                counts[part] += 1
                rest -= 1
            owed += exact - counts
            found[members] = np.repeat(np.arange(len(counts)), counts)
            self.groups += counts
        for part in np.flatnonzero(self.groups == 0).tolist():
            single = np.bincount(found[alone], minlength=len(self.groups)) > 0
            donor = int(np.where(single, self.groups, 0).argmax())
            found[alone[found[alone] == donor][0]] = part
            self.groups[donor] -= 1
            self.groups[part] += 1


def _contents(
    groups: np.ndarray, strata: np.ndarray, count: int, classes: int
) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """A function that tells which classes a group has, and how many rows; at last, of all."""
    pairs, rows = np.unique(groups * classes + strata, return_counts=True)
    begins = np.searchsorted(pairs, np.arange(count + 1) * classes)

    def of(group: int) -> tuple[np.ndarray, np.ndarray]:
        part = slice(begins[group], begins[group + 1])
        return np.append(pairs[part] % classes, classes), np.append(rows[part], rows[part].sum())

    return of


def by_time(times: np.ndarray, shares: Sequence[float]) -> list[np.ndarray]:
    """Row numbers of each part in the order of time; equal times are in one part.

    Args:
        times: ``(rows,)`` numbers, dates or texts that sort by time.
        shares: of each part, the earliest first, 1 together; all above 0.

    Raises:
        ValueError: if a time is missing, or there are fewer different ones than parts.
    """
    gaps = times != times  # NaN and NaT
    if times.dtype.kind == "O":
        gaps = gaps | np.array([value is None for value in times.tolist()], bool)
    if gaps.any():
        raise ValueError(
            f"time is missing in {int(gaps.sum()):,} rows, first in row {int(gaps.argmax())}. "
            "Fill it in, or leave those rows out."
        )
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    steps = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1  # rows before which a cut may be
    if len(steps) + 1 < len(shares):
        raise ValueError(
            f"There are {len(steps) + (len(order) > 0)} different times for {len(shares)} parts, "
            "and equal times stay together. Bring more times, or ask for fewer parts."
        )
    cuts: list[int] = []
    first = 0
    for number, wanted in enumerate(np.cumsum(shares)[:-1] * len(order)):
        last = len(steps) - (len(shares) - 2 - number)  # later cuts need a place each
        nearest = first + int(np.abs(steps[first:last] - wanted).argmin())
        cuts.append(int(steps[nearest]))
        first = nearest + 1
    return np.split(order, cuts)
