"""What ``slipstream train`` can be told."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, fields
from pathlib import Path

from slipstream.cli.problem import Problem

TASKS = ("auto", "classification", "regression")


@dataclass
class Options:
    """The options of ``slipstream train`` with their defaults.

    Attributes:
        data, target, drop, task: what is learned from.
        epochs, patience: how long at most, and how long without improvement.
        batch_size: rows a step; None to go by the number of rows.
        learning_rate: None for the optimizer's own.
        hidden: units of each hidden layer, separated by commas.
        validation, test: shares of the rows.
        out: folder of the results; None for a new one under ``runs``.
    """

    data: str | None = None
    target: str | None = None
    drop: list[str] = field(default_factory=list)
    task: str = "auto"
    epochs: int = 100
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: str = "adam"
    hidden: str = "256,128"
    dropout: float = 0.3
    validation: float = 0.1
    test: float = 0.2
    patience: int = 10
    seed: int = 0
    out: Path | None = None
    overwrite: bool = False
    quiet: bool = False

    def check(self) -> None:
        """Raise a Problem for values that mean nothing."""
        if self.task not in TASKS:
            raise Problem(f"--task is one of {', '.join(TASKS)}; got {self.task!r}.")
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise Problem(f"--{name.replace('_', '-')} must be at least 1; got {value}.")
        if not 0 <= self.dropout < 1:
            raise Problem(f"--dropout is a share from 0 to under 1; got {self.dropout:g}.")
        if self.learning_rate is not None and not 0 < self.learning_rate < float("inf"):
            raise Problem(f"--learning-rate must be above 0; got {self.learning_rate:g}.")
        if self.seed < 0:
            raise Problem(f"--seed must be at least 0; got {self.seed}.")
        self.units()

    def units(self) -> list[int]:
        """Units of each hidden layer; none for ``""``."""
        try:
            units = [int(part) for part in self.hidden.split(",") if part.strip()]
        except ValueError:
            units = [0]
        if any(unit < 1 for unit in units):
            raise Problem(f"--hidden lists whole numbers such as 256,128; got {self.hidden!r}.")
        return units

    def command(self, data: str) -> str:
        """The command line that repeats this run, as far as it differs from the defaults."""
        words = ["slipstream", "train", "--data", data]
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("data", "out", "overwrite", "quiet", "drop"):
                continue
            if value is not None and value != each.default:
                words += [f"--{each.name.replace('_', '-')}", str(value)]
        words += [word for name in self.drop for word in ("--drop", name)]
        return shlex.join(words)
