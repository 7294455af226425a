"""What a run is going to take, said before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipstream.speed.words import span


@dataclass(frozen=True)
class Forecast:
    """Time and memory of a `fit` to come, its programs being compiled by now.

    Attributes:
        epochs: epochs asked for.
        steps: batches of an epoch.
        step_seconds: time of a training step.
        epoch_seconds: time of an epoch, its validation and waiting for data included.
        start_seconds: time before the first epoch.
        compile_seconds: what compiling took during the forecast; `fit` is spared it.
        memory: bytes on the device at the most; None where the compiler does not say.
    """

    epochs: int
    steps: int
    step_seconds: float
    epoch_seconds: float
    start_seconds: float
    compile_seconds: float
    memory: int | None

    @property
    def seconds(self) -> float:
        """The whole run."""
        return self.seconds_for(self.epochs)

    def seconds_for(self, epochs: int) -> float:
        """A run of so many epochs."""
        return self.start_seconds + epochs * self.epoch_seconds

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", at most {self.memory / 1e6:,.0f} MB of memory"
        return (
            f"Forecast: {span(self.seconds)} for {self.epochs} epochs{memory} · "
            f"{span(self.epoch_seconds)} an epoch, {span(self.step_seconds)} a step · "
            f"compiled in {span(self.compile_seconds)}"
        )


def memory_of(program: Any) -> int | None:
    """Bytes that a compiled program holds at the most, with its arguments and results."""
    try:
        found = program.memory_analysis()
        return int(
            found.argument_size_in_bytes
            + found.output_size_in_bytes
            - found.alias_size_in_bytes
            + found.temp_size_in_bytes
            + found.generated_code_size_in_bytes
        )
    except Exception:  # not every device's programs tell
        return None
