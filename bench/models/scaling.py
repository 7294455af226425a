"""How a step's time grows with width, depth, batch and length, and an epoch's with the data."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.harness import PEERS, SLIPSTREAM, rounds_of_fit
from bench.models.contest import Contest
from bench.models.results import OWN, TRAIN
from bench.models.table import SETTINGS

NOTE = """Medians of {} interleaved measurements. A slope is the exponent with which time grows, \
by least squares through the logarithms of the upper half of the points; the theoretical one is \
that of the FLOPs that Slipstream counts. A slope below it says that larger sizes use the \
machine better.
"""


class Series(NamedTuple):
    """A case, and what of it is varied over which values."""

    case: str
    option: str
    points: tuple[int, ...]


SYSTEMS = (OWN, "PyTorch", "Keras-jax")
SERIES = (
    Series("MLP 784-512-512-10", "width", (128, 256, 512, 1024, 2048)),
    Series("MLP 784-512-512-10", "depth", (1, 2, 4, 8, 16)),
    Series("CNN", "batch", (8, 16, 32, 64, 128)),
    Series("GPT", "length", (32, 64, 128, 256, 512)),
    Series("LSTM", "length", (25, 50, 100, 200, 400)),
)
ROWS = (1_024, 4_096, 16_384, 65_536)  # whole batches, so that the work grows as the rows do


class Curve(NamedTuple):
    """Times of all systems over one size.

    Attributes:
        title: the network.
        axis: what is varied.
        timed: what the seconds are of.
        points: its values.
        work: of what is timed, at each point; FLOPs, or what is proportional to them.
        seconds: by system, measurements at each point; none where its result is void.
    """

    title: str
    axis: str
    timed: str
    points: list[int]
    work: list[float]
    seconds: dict[str, list[list[float]]]

    def medians(self, system: str) -> list[tuple[int, float]]:
        """Points and seconds of a system, where there are any."""
        measured = zip(self.points, self.seconds[system])
        return [(point, median(values)) for point, values in measured if values]

    def slope(self, system: str) -> float:
        """The exponent in the upper half of the points."""
        return slope(self.medians(system), self.points)

    @property
    def theory(self) -> float:
        """The exponent of the work there."""
        return slope(list(zip(self.points, self.work)), self.points)


def slope(pairs: Sequence[tuple[float, float]], points: Sequence[float]) -> float:
    """Exponent of the second of the pairs in the first, in the upper half of `points`.

    NaN if fewer than two pairs lie there.
    """
    upper = points[len(points) // 2 :] if len(points) > 2 else points
    logs = [(math.log(a), math.log(b)) for a, b in pairs if a in upper]
    if len(logs) < 2:
        return math.nan
    mean_a, mean_b = (sum(each) / len(logs) for each in zip(*logs))
    return sum((a - mean_a) * (b - mean_b) for a, b in logs) / sum(
        (a - mean_a) ** 2 for a, _ in logs
    )


def scaling(rounds: int, series: Sequence[Series] = SERIES) -> list[Curve]:
    """Measure all curves; each is printed as soon as it is there."""
    found = []
    for each in series:
        found.append(of_steps(each, rounds))
        print(of_curve(found[-1]), flush=True)
    found.append(of_data(ROWS, rounds))
    print(of_curve(found[-1]), flush=True)
    return found


def of_steps(series: Series, rounds: int) -> Curve:
    """Seconds of a training step."""
    settings = [each for each in SETTINGS if each.name in SYSTEMS]
    seconds: dict[str, list[list[float]]] = {name: [] for name in SYSTEMS}
    work = []
    for point in series.points:
        contest = Contest(f"{series.case}; {series.option}={point}", settings)
        contest.prepare()
        found = contest.measure(rounds, predicting=())
        work.append(found.flops)
        for name in SYSTEMS:
            row = found.tasks[TRAIN].get(name)
            seconds[name].append(row.seconds if row is not None and row.agrees else [])
    title = series.case.split()[0]  # its sizes are what is varied
    return Curve(title, series.option, "a step", list(series.points), work, seconds)


def of_data(points: Sequence[int], rounds: int) -> Curve:
    """Seconds of an epoch of the reference job."""
    peers = {peer.name: peer for peer in PEERS}
    systems = dict(zip(SYSTEMS, (SLIPSTREAM, peers["PyTorch, 1 thread"], peers["Keras-jax"])))
    seconds: dict[str, list[list[float]]] = {name: [] for name in SYSTEMS}
    for rows in points:
        _, warm = rounds_of_fit(list(systems.values()), f"reference; rows={rows}; epochs=1", rounds)
        for name, system in systems.items():
            seconds[name].append(warm[system.name])
    work = list(map(float, points))
    return Curve("Reference job", "examples", "an epoch", list(points), work, seconds)


def markdown(curves: Sequence[Curve], rounds: int) -> str:
    """Slopes of all curves, and the times that they come from."""
    lines = [
        "| network | grows with | theory | " + " | ".join(SYSTEMS) + " |",
        "|---|---|---|" + "---|" * len(SYSTEMS),
    ]
    for curve in curves:
        slopes = [number(curve.slope(name)) for name in SYSTEMS]
        cells = [curve.title, curve.axis, number(curve.theory), *slopes]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([NOTE.format(rounds), *lines, "", *map(of_curve, curves)])


def of_curve(curve: Curve) -> str:
    """The times of one curve; ratios are to Slipstream's."""
    lines = [
        f"### {curve.title}, {curve.axis}: ms {curve.timed}",
        "",
        f"| {curve.axis} | " + " | ".join(SYSTEMS) + " |",
        "|---|" + "---|" * len(SYSTEMS),
    ]
    for place, point in enumerate(curve.points):
        own = curve.seconds[OWN][place]
        cells = [str(point)]
        for name in SYSTEMS:
            values = curve.seconds[name][place]
            shown = f"{1e3 * median(values):.4g}" if values else "void"
            if name != OWN and values and own:
                shown += f", {median(values) / median(own):.2f}×"
            cells.append(shown)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def number(slope: float) -> str:
    """A slope as tables show it."""
    return "–" if math.isnan(slope) else f"{slope:.2f}"


def save(heading: str, rounds: int, curves: Sequence[Curve], path: Path) -> None:
    """Write a file of JSON."""
    kept = {"heading": heading, "rounds": rounds, "curves": [c._asdict() for c in curves]}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def load(path: Path) -> tuple[str, int, list[Curve]]:
    """Heading, rounds and curves that `save` wrote."""
    read: dict[str, Any] = json.loads(path.read_text())
    return read["heading"], read["rounds"], [Curve(**each) for each in read["curves"]]
