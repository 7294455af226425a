"""What was measured of whole models, kept as JSON: tables and pictures can be made again."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

OWN = "Slipstream"
TRAIN = "train"


class Row(NamedTuple):
    """What one system did on one task.

    Attributes:
        seconds: of each measurement, a step or a call.
        first: seconds of the first epoch, or 0.
        peak: bytes of the process.
        agrees: whether its result is Slipstream's.
    """

    seconds: list[float]
    first: float
    peak: float
    agrees: bool


class Found(NamedTuple):
    """What came out of one case.

    Attributes:
        name: of the case.
        batch: examples a step.
        steps: of an epoch.
        flops: floating-point operations of a step, as Slipstream counts them.
        limit: seconds that a step takes at the least on this machine.
        tasks: rows by task (``train``, ``predict 1`` …) and system.
    """

    name: str
    batch: int
    steps: int
    flops: float
    limit: float
    tasks: dict[str, dict[str, Row]]

    def ratio(self, task: str, system: str) -> float:
        """How many times Slipstream's time a system takes; above 1, Slipstream is faster."""
        rows = self.tasks[task]
        return median(rows[system].seconds) / median(rows[OWN].seconds)

    def peers(self, task: str) -> list[str]:
        """The other systems whose results are Slipstream's."""
        return [name for name, row in self.tasks[task].items() if name != OWN and row.agrees]

    def best(self, task: str) -> str | None:
        """The fastest of them, if there is any."""
        return min(self.peers(task), key=lambda name: self.ratio(task, name), default=None)

    @property
    def share(self) -> float:
        """Share of the machine's limit that Slipstream's training step reaches."""
        return self.limit / median(self.tasks[TRAIN][OWN].seconds)

    def memory(self, system: str) -> float:
        """How many times Slipstream's peak memory a system takes."""
        rows = self.tasks[TRAIN]
        return rows[system].peak / rows[OWN].peak

    def compiling(self, system: str) -> float:
        """Seconds of a first epoch beyond those of a warm one."""
        row = self.tasks[TRAIN][system]
        return max(row.first - median(row.seconds) * self.steps, 0.0)


class Results(NamedTuple):
    """Cases, under the heading that names machine, versions and date.

    Attributes:
        heading: Markdown.
        cases: what was found.
    """

    heading: str
    cases: list[Found]


def save(results: Results, path: Path) -> None:
    """Write a file of JSON."""
    cases = [
        {
            **case._asdict(),
            "tasks": {
                task: {system: row._asdict() for system, row in rows.items()}
                for task, rows in case.tasks.items()
            },
        }
        for case in results.cases
    ]
    path.write_text(json.dumps({"heading": results.heading, "cases": cases}, indent=1) + "\n")


def load(path: Path) -> Results:
    """Read what `save` wrote."""
    read: dict[str, Any] = json.loads(path.read_text())
    cases = []
    for case in read["cases"]:
        tasks = {
            task: {system: Row(**row) for system, row in rows.items()}
            for task, rows in case.pop("tasks").items()
        }
        cases.append(Found(**case, tasks=tasks))
    return Results(read["heading"], cases)
