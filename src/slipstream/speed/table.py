"""`Speed`: what `Model.speed` found, as a table, as JSON and as a picture."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

from slipstream.speed.ceilings import Ceilings
from slipstream.speed.check import Check
from slipstream.speed.layers import Measured, Row, together
from slipstream.speed.words import percent, quantity, span


@dataclass
class Speed:
    """How close a model comes to this machine's limit, layer by layer.

    Attributes:
        model: its name.
        batch_size: examples of a batch.
        rows: the layers.
        prediction: the whole model's outputs for a batch, in one program.
        step: a whole training step; None for a model that is not compiled or has no targets.
        ceilings: what the machine can do.
        checks: counts of the whole programs beside the compiler's.
    """

    model: str
    batch_size: int
    rows: list[Row]
    prediction: Measured
    step: Measured | None
    ceilings: Ceilings
    checks: dict[str, Check] = field(default_factory=dict)

    @property
    def remarks(self) -> list[str]:
        """Where counts differ by more than a tenth from the compiler's, and what else is odd."""
        found = [line for what, each in self.checks.items() for line in each.remarks(what)]
        quick = [row.name for row in self.rows if row.forward.share > 1]
        if quick:
            found.append(
                f"{', '.join(quick)}: quicker than the limit. The machine was busy when it was "
                "measured; measuring again raises what is kept."
            )
        return found

    def lines(self) -> list[tuple[str, str, Measured]]:
        """Name, pass and figures of each line of the table, totals at the end."""
        found = []
        for row in self.rows:
            calls = f" × {row.calls}" if row.calls > 1 else ""
            found.append((f"{row.name} ({row.kind}){calls}", "forward", row.forward))
            found.append(("", "training", row.training))
        forward = together([row.forward for row in self.rows])
        found.append(("layers one by one", "forward", forward))
        found.append(("", "training", together([row.training for row in self.rows])))
        found.append(("whole model", "forward", self.prediction))
        if self.step is not None:
            found.append(("", "training", self.step))
        return found

    @property
    def rest(self) -> float | None:
        """Seconds of a training step beyond its layers one by one: loss, metrics and optimizer.

        Below zero if running as one program gains more than these take.
        """
        if self.step is None:
            return None
        return self.step.seconds - together([row.training for row in self.rows]).seconds

    def __str__(self) -> str:
        from rich import box
        from rich.console import Console
        from rich.table import Table

        table = Table(
            title=f"{self.model}: speed with batches of {self.batch_size}",
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
        )
        table.add_column("Layer (type)", overflow="fold")
        table.add_column("Pass")
        for heading in ("FLOPs", "Bytes", "Limit", "Measured", "Share"):
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column("Bound by", no_wrap=True)
        lines = self.lines()
        first_total = next(i for i, line in enumerate(lines) if line[0] == "layers one by one")
        for place, (name, which, found) in enumerate(lines):
            if place in (first_total, first_total + 2):
                table.add_section()
            table.add_row(name, which, *figures(found))
        console = Console(file=io.StringIO(), width=110, record=True)
        console.print(table)
        for line in self.notes():
            console.print(line, highlight=False, soft_wrap=True)
        return console.export_text(styles=False).rstrip()

    def notes(self) -> list[str]:
        """What stands under the table."""
        found = []
        if self.rest is not None:
            sign = "−" if self.rest < 0 else "+"
            found.append(
                f"Loss, metrics and optimizer, less what one program gains: "
                f"{sign}{span(abs(self.rest))} a step."
            )
        ceilings = self.ceilings
        found.append(
            f"This machine: {quantity(ceilings.flops['float32'])}FLOP/s, "
            f"{quantity(ceilings.bandwidth[0])}B/s in the nearest memory, "
            f"{quantity(ceilings.bandwidth[-1])}B/s in the furthest, {span(ceilings.dispatch)} to "
            f"start a program; measured {ceilings.times} times, last {ceilings.last}."
        )
        return [*found, *self.remarks]

    def to_json(self, **options: Any) -> str:
        """Everything as JSON; options are those of `json.dumps`."""
        return json.dumps(self.to_dict(), **options)

    def to_dict(self) -> dict[str, Any]:
        """Everything in dictionaries and lists."""
        return {
            "model": self.model,
            "batch_size": self.batch_size,
            "layers": [
                {
                    "name": row.name,
                    "class": row.kind,
                    "calls": row.calls,
                    "forward": as_dict(row.forward),
                    "training": as_dict(row.training),
                }
                for row in self.rows
            ],
            "prediction": as_dict(self.prediction),
            "step": self.step and as_dict(self.step),
            "rest": self.rest,
            "checks": {what: each._asdict() for what, each in self.checks.items()},
            "remarks": self.remarks,
            "ceilings": self.ceilings.to_dict(),
        }

    def picture(self, path: Any) -> None:
        """Write an SVG picture of the layers under the machine's roof.

        Raises:
            ValueError: if the file's name does not end in ``.svg``.
        """
        from slipstream.speed.picture import draw

        draw(self, path)


def as_dict(found: Measured) -> dict[str, Any]:
    """One program's figures."""
    return {
        "flops": found.cost.flops,
        "bytes": found.cost.bytes,
        "limit": {**found.limit._asdict(), "seconds": found.limit.seconds},
        "seconds": found.seconds,
        "share": found.share,
        "bound": found.limit.bound,
    }


def figures(found: Measured) -> list[str]:
    """One program's figures as a line of a table shows them."""
    return [
        quantity(found.cost.flops).strip(),
        f"{quantity(found.cost.bytes)}B",
        span(found.limit.seconds),
        span(found.seconds),
        percent(found.share),
        found.limit.bound,
    ]
