"""`Progbar`: a bar for a user's own loop."""

from __future__ import annotations

import sys
import time
from typing import Any

from slipstream.training.progress import duration
from slipstream.utils.settings import is_interactive_logging_enabled


class Progbar:
    """Shows how far a loop has come, with the mean of the figures it reports.

    Args:
        target: number of steps; None if not known.
        width: characters of the bar.
        verbose: 0 for nothing, 1 for a bar, 2 for a line at the end.
        interval: least seconds between two drawings.
        stateful_metrics: names of figures that are shown as they are, not averaged.
        unit_name: what a step is called.
    """

    def __init__(
        self,
        target: int | None,
        width: int = 20,
        verbose: int = 1,
        interval: float = 0.05,
        stateful_metrics: Any = None,
        stateless_metrics: Any = None,
        unit_name: str = "step",
    ) -> None:
        self.target = target
        self.width = width
        self.verbose = verbose
        self.interval = interval
        self.unit_name = unit_name
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = stateless_metrics
        self._sums: dict[str, tuple[float, int]] = {}
        self._done = 0
        self._began = time.perf_counter()
        self._drawn = -float("inf")

    def add(self, n: int, values: Any = None) -> None:
        """Go `n` steps on."""
        self.update(self._done + n, values)

    def update(self, current: int, values: Any = None, finalize: bool | None = None) -> None:
        """Show that `current` steps are done.

        Args:
            current: steps done.
            values: pairs of a name and its value in the last step.
            finalize: whether this is the end; by default where `target` is reached.
        """
        if finalize is None:
            finalize = self.target is not None and current >= self.target
        steps = max(current - self._done, 1)
        for name, value in values or ():
            total, count = self._sums.get(name, (0.0, 0))
            if name in self.stateful_metrics:
                total, count, steps_of = 0.0, 0, 1
            else:
                steps_of = steps
            self._sums[name] = (total + float(value) * steps_of, count + steps_of)
        self._done = current
        now = time.perf_counter()
        due = finalize or (self.verbose == 1 and now - self._drawn >= self.interval)
        if not self.verbose or not due:
            return
        self._drawn = now
        live = self.verbose == 1 and is_interactive_logging_enabled() and sys.stdout.isatty()
        if live:
            sys.stdout.write("\r\x1b[2K" + self._line(now - self._began, finalize))
        if finalize:
            sys.stdout.write("\n" if live else self._line(now - self._began, True) + "\n")
        sys.stdout.flush()

    def _line(self, seconds: float, finalize: bool) -> str:
        bar = ""
        if self.target:
            filled = round(min(self._done / self.target, 1) * self.width)
            bar = f" {'━' * filled}{'╌' * (self.width - filled)}"
        each = seconds / max(self._done, 1)
        parts = [f"{self._done}/{self.target or '?'}{bar}"]
        if finalize or not self.target:
            parts.append(f"{duration(seconds)} {duration(each)}/{self.unit_name}")
        else:
            parts.append(f"{duration(each * (self.target - self._done))} left")
        for name, (total, count) in self._sums.items():
            mean = total / count
            parts.append(f"{name}: {mean:.4f}" if abs(mean) > 1e-3 else f"{name}: {mean:.4e}")
        return " - ".join(parts)
