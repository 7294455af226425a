"""`check`: what is wrong with data, found before training, with a remedy each."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from slipstream.data.quality.rows import first_alike
from slipstream.data.quality.tables import Reader, Table
from slipstream.data.quality.target import Target, read_target, tells_all

FAR_APART = 1000.0  # ratio of deviations from which on scales differ wildly
LARGE = 30.0  # a usual magnitude of inputs that slows training down
ENOUGH = 30  # different rows that are evidence by themselves
RARE = 10.0  # ratio of the commonest to the rarest class


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: ``"missing"``, ``"infinite"``, ``"constant"``, ``"scale"``, ``"duplicates"``,
            ``"leak"``, ``"imbalance"``, ``"unseen"``, ``"contradiction"`` or ``"target leak"``.
        text: what was found.
        remedy: what to do about it.
        grave: whether results mean little until it is mended.
        columns: names of the columns concerned.
        rows: numbers of the rows concerned, those of the validation data for a leak.
    """

    kind: str
    text: str
    remedy: str
    grave: bool = False
    columns: tuple[str, ...] = ()
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)

    def __str__(self) -> str:
        return f"{self.text} {self.remedy}"


@dataclass(frozen=True)
class Quality:
    """What a check found; printed, it is a list with a remedy each.

    Attributes:
        findings: the grave ones first.
        rows, cells: how many were looked at.
        seconds: how long it took.
    """

    findings: list[Finding]
    rows: int
    cells: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def of(self, kind: str) -> Finding | None:
        """The finding of this kind, if there is one."""
        return next((each for each in self.findings if each.kind == kind), None)

    def __str__(self) -> str:
        looked = f"{self.rows:,} rows, {self.cells:,} cells, {self.seconds:.2f} s"
        if self.ok:
            return f"Data check ({looked}): nothing found."
        lines = [f"Data check ({looked}): {_count(len(self.findings), 'finding')}."]
        for each in self.findings:
            lines += [f"  {'!' if each.grave else '-'} {each.text}", f"      {each.remedy}"]
        return "\n".join(lines)


def check(
    x: Any,
    y: Any = None,
    validation: Any = None,
    *,
    names: Sequence[str] | None = None,
    task: str | None = None,
) -> Quality:
    """Look for what spoils a training: it takes well under a second for a million cells.

    Looked for are missing and infinite numbers, constant columns, columns on wildly different
    scales, rows that repeat, rows that are in the validation data too, equal rows with different
    labels, rare and unseen classes, and single columns that give the label away. Rows are compared
    in 32 bits, as a network sees them.

    Args:
        x: inputs ``(rows, …)``: an array, a frame, or a structure of them; texts may be among them.
        y: targets ``(rows,)``, ``(rows, 1)`` or one-hot ``(rows, classes)``; others are only
            looked through for missing numbers.
        validation: inputs held out, or ``(x, y)``.
        names: of the columns of an array.
        task: ``"classification"`` or ``"regression"`` where the targets leave a doubt: whole
            numbers are taken for classes if they are few or count up from 0.

    Raises:
        TypeError: for batches, or values that are neither numbers nor texts.
        ValueError: if numbers of rows differ, there are none, or another task is named.
    """
    began = time.perf_counter()
    reader = Reader(names)
    tables = reader.tables(x, "x")
    held_x, held_y = validation if isinstance(validation, tuple) else (validation, None)
    held = [] if held_x is None else reader.tables(held_x, "validation")
    rows = _rows(tables, "x")
    target = None if y is None else read_target(y, rows, task)
    leaders = _leaders(tables, held)
    findings = [*_columns(tables), *_repeats(leaders, rows, target)]
    if target is not None:
        findings += _labels(target, held_y)
        findings += _giveaways(tables, target, leaders[:rows])
    cells = sum(table.values.size for table in (*tables, *held))
    findings.sort(key=lambda each: not each.grave)
    return Quality(findings, rows, cells, time.perf_counter() - began)


def _rows(tables: Sequence[Table], what: str) -> int:
    sizes = {len(table.values) for table in tables}
    if len(sizes) > 1:
        raise ValueError(f"The arrays of {what} differ in their number of rows: {sorted(sizes)}.")
    return sizes.pop()


# ---- columns --------------------------------------------------------------------------------


def _columns(tables: Sequence[Table]) -> Iterator[Finding]:
    bad: dict[str, dict[str, int]] = {"missing": {}, "infinite": {}}
    constant: list[str] = []
    spreads: dict[str, float] = {}
    largest = 0.0
    for table in tables:
        values, known = table.values, None
        if not table.numbers:
            _tell(bad["missing"], table, (values < 0).sum(0))
        elif values.dtype.kind == "f" and not np.isfinite(values.sum(dtype=np.float64)):
            known = np.isfinite(values)
            nan = np.isnan(values)
            _tell(bad["missing"], table, nan.sum(0))
            _tell(bad["infinite"], table, (~known & ~nan).sum(0))
        low, high = _ends(values, known)
        if table.picture:
            low, high = low.min(keepdims=True), high.max(keepdims=True)
        else:
            constant += [table.names[i] for i in _places(low >= high)]
        if table.numbers and (low < high).any():
            size = np.maximum(np.abs(low.astype("d")), np.abs(high.astype("d")))
            largest = max(largest, float(size.max()))
            if not table.picture:
                spread = _deviation(values, known)
                moving = _places((low < high) & (spread > 0))
                # A rare 1 among 0s deviates little, yet its scale is 1.
                spreads.update((table.names[i], max(spread[i], size[i] / 100)) for i in moving)
    for kind, word, remedy in (
        ("missing", "missing", "Fill them, with each column's training mean for instance, or leave "
         "their rows out."),
        ("infinite", "infinite or beyond 32-bit floats", "Look where they come from (a division by "
         "0, the logarithm of 0), and leave their rows out."),
    ):  # fmt: skip
        if bad[kind]:
            total, listed = sum(bad[kind].values()), _listed(bad[kind], lambda n: f" ({n:,})")
            text = f"{_count(total, 'value')} {'is' if total == 1 else 'are'} {word}: {listed}."
            yield Finding(kind, text, remedy, True, tuple(bad[kind]))
    if constant:
        text = f"{_count(len(constant), 'column')} with one value only: {_listed(constant)}."
        yield Finding("constant", text, "Leave out what never changes.", columns=tuple(constant))
    yield from _scales(spreads, largest)


def _scales(spreads: dict[str, float], largest: float) -> Iterator[Finding]:
    remedy = "Put layers.Normalization() first, after its adapt() on the training inputs."
    if spreads:
        small, large = min(spreads, key=spreads.__getitem__), max(spreads, key=spreads.__getitem__)
        ratio = spreads[large] / spreads[small]
        if ratio > FAR_APART:
            text = (
                f"Scales differ by a factor of {ratio:,.0f}: {large} varies by about "
                f"{spreads[large]:.3g}, {small} by {spreads[small]:.3g}."
            )
            yield Finding("scale", text, remedy, columns=(large, small))
            return
    if largest > LARGE:
        text = f"Inputs reach {largest:,.4g}; networks learn best from inputs around 1."
        if largest == 255:
            remedy = "Put layers.Rescaling(1 / 255) first."
        yield Finding("scale", text, remedy)


def _ends(values: np.ndarray, known: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest known value of each column; the least is the greater if there is none."""
    if known is None:
        return values.min(0), values.max(0)
    low = np.where(known, values, np.inf).min(0)
    return low, np.where(known, values, -np.inf).max(0)


def _deviation(values: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    count = len(values) if known is None else known.sum(0)
    plain = values if known is None else np.where(known, values, 0)
    mean = plain.sum(0, dtype=np.float64) / np.maximum(count, 1)
    off = plain - mean.astype(np.float32)
    if known is not None:
        off[~known] = 0
    square = np.einsum("rc,rc->c", off, off, dtype=np.float64)
    return np.sqrt(square / np.maximum(count, 1))


def _places(found: np.ndarray) -> list[int]:
    return np.flatnonzero(found).tolist()


def _tell(counts: dict[str, int], table: Table, found: np.ndarray) -> None:
    counts.update({table.names[i]: int(found[i]) for i in _places(found)})


# ---- rows -----------------------------------------------------------------------------------


def _leaders(tables: Sequence[Table], held: Sequence[Table]) -> np.ndarray:
    """For each row, the validation's after the others, the number of the first equal one."""
    if held and [t.values.shape[1] for t in held] != [t.values.shape[1] for t in tables]:
        raise ValueError("The validation inputs have other columns than x. Pass the same ones.")
    joined = [table.values for table in tables]
    if held:
        joined = [np.concatenate([part, also.values]) for part, also in zip(joined, held)]
    return first_alike(joined)


def _repeats(leaders: np.ndarray, count: int, target: Target | None) -> Iterator[Finding]:
    own = leaders[:count]
    repeated = np.flatnonzero(own != np.arange(count))
    if len(repeated):
        yield Finding(
            "duplicates",
            f"{_count(len(repeated), 'row')} ({_share(len(repeated), count)}) "
            f"{'repeats' if len(repeated) == 1 else 'repeat'} an earlier one.",
            "Leave them out before splitting: x = np.delete(x, finding.rows, 0).",
            rows=repeated,
        )
    shared, total = np.flatnonzero(leaders[count:] < count), len(leaders) - count
    if len(shared):
        yield Finding(
            "leak",
            f"{len(shared):,} of {_count(total, 'validation row')} ({_share(len(shared), total)}) "
            f"{'is' if len(shared) == 1 else 'are'} among the training rows too.",
            "Leave them out of the validation data (finding.rows), or split again without "
            "duplicates: what was learned by heart looks like skill.",
            True,
            rows=shared,
        )
    if target is not None and len(repeated):
        yield from _contradictions(own, target)


def _contradictions(own: np.ndarray, target: Target) -> Iterator[Finding]:
    values = target.values
    wrong = np.flatnonzero(values != values[own])
    if not len(wrong):
        return
    concerned = np.flatnonzero(np.isin(own, own[wrong]))
    text = f"{_count(len(concerned), 'row')} are equal to others with another label"
    if target.classes is not None:
        best = target.best_share(own)
        text += f": no model can name more than {100 * best:.1f} % of the training rows."
    else:
        text += f": no model can reach an R² above {target.best_share(own):.3f} on them all."
    yield Finding(
        "contradiction", text, "Look at them (finding.rows): mend the labels, or add the column "
        "that tells them apart.", rows=concerned,
    )  # fmt: skip


# ---- labels ---------------------------------------------------------------------------------


def _labels(target: Target, held_y: Any) -> Iterator[Finding]:
    if target.missing:
        yield Finding(
            "missing", f"{_count(target.missing, 'target')} missing or infinite: the loss becomes "
            "NaN.", "Leave their rows out.", True, ("target",),
        )  # fmt: skip
    if target.one_value or (target.classes is not None and (target.counts > 0).sum() == 1):
        yield Finding(
            "constant", "The target has one value only.",
            "There is nothing to learn; look where it comes from.", True, ("target",),
        )  # fmt: skip
        return
    if target.classes is None:
        return
    counts = target.counts
    most, least = counts.argmax(), counts.argmin()
    if counts[most] >= RARE * counts[least]:
        always = _share(counts[most], counts.sum())
        yield Finding(
            "imbalance",
            f"Class {target.classes[most]} has {counts[most]:,} rows, {target.classes[least]} "
            f"{counts[least]:,}: always naming the first is right for {always}.",
            f"Pass fit(…, {_weights(target)}) if rare classes matter as much, split by class, and "
            "judge by F1 rather than accuracy.",
        )
    if held_y is not None:
        unseen = target.unseen(held_y)
        if unseen:
            yield Finding(
                "unseen", f"Validation has classes that training has not: {_listed(unseen)}.",
                "Split by class, so that each is in both parts.", True,
            )  # fmt: skip


def _giveaways(tables: Sequence[Table], target: Target, own: np.ndarray) -> Iterator[Finding]:
    rows = np.flatnonzero(own == np.arange(len(own)))
    if not ENOUGH <= len(rows) < len(own):  # repeated rows are no further evidence
        found = [name for table in tables for name in tells_all(table, target)]
    else:
        target = replace(target, values=target.values[rows])
        cut = [replace(table, values=table.values[rows]) for table in tables]
        found = [name for table in cut for name in tells_all(table, target)]
    if found:
        word = "gives" if len(found) == 1 else "each give"
        yield Finding(
            "target leak",
            f"{_listed(found)} {word} the target away without anything else.",
            "Ask whether it is known before the target is; leave it out if not.",
            True,
            tuple(found),
        )


def _weights(target: Target) -> str:
    """What makes classes count alike, if it fits a line."""
    counts, names = target.counts, target.classes or ()
    if len(counts) > 6:
        return "class_weight"
    keys = [name if isinstance(name, int) else i for i, name in enumerate(names)]
    each = counts.sum() / len(counts) / np.maximum(counts, 1)
    return f"class_weight={dict(zip(keys, np.round(each, 2).tolist()))}"


# ---- words ----------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %"


def _listed(names: Any, more: Callable[[Any], str] | None = None, most: int = 5) -> str:
    shown = [f"{name}{more(names[name]) if more else ''}" for name in list(names)[:most]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")
