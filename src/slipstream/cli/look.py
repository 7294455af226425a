"""What ``slipstream train`` shows on the terminal."""

from __future__ import annotations

import math
import time
from typing import Any

from slipstream.training.callbacks.base import Callback

_WIDTH = 24


class Screen:
    """Lines on the terminal; plain where the output is no terminal, nothing if `quiet`."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console

        self.console = Console(quiet=quiet, highlight=False, soft_wrap=True)
        self._live = False

    @property
    def moves(self) -> bool:
        """Whether a line can be drawn over."""
        return self.console.is_terminal and not self.console.quiet

    def line(self, *parts: Any) -> None:
        """A line of texts and ``(text, style)`` pairs."""
        from rich.text import Text

        self._wipe()
        self.console.print(Text.assemble(*parts))

    def facts(self, facts: dict[str, str]) -> None:
        """A line for each fact, names in a column of their own."""
        for name, value in facts.items():
            self.line("  ", (f"{name:<13}", "dim"), value)

    def live(self, text: str) -> None:
        """Draw a line that the next one replaces."""
        if not self.moves:
            return
        self.console.file.write(f"\r\x1b[2K{text[: self.console.width - 1]}")
        self.console.file.flush()
        self._live = True

    def _wipe(self) -> None:
        if self._live:
            self.console.file.write("\r\x1b[2K")
            self._live = False


class Epochs(Callback):
    """A line for each epoch, and a bar with the time left while it runs.

    Args:
        screen: where to draw.
        score: name of the metric beside the loss.
        rows: training rows of an epoch.
    """

    def __init__(self, screen: Screen, score: str, rows: int) -> None:
        super().__init__()
        self.screen, self.score, self.rows = screen, score, rows
        self.best: float | None = None
        self._spent: list[float] = []
        self._began = self._drawn = 0.0
        self._epoch = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Name the columns."""
        score = self.score
        self.screen.line(
            (f"  {'epoch':>9} {'loss':>9} {score:>9} {'val loss':>10} {'val ' + score:>13} "
             f"{'samples/s':>11} {'left':>9}", "bold"),
        )  # fmt: skip

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the bar."""
        self._epoch, self._began = epoch, time.perf_counter()
        self._bar(0.0, "")

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Redraw the bar, at most ten times a second."""
        now = time.perf_counter()
        if mode != "train" or not self.screen.moves or now - self._drawn < 0.1:
            return
        self._drawn = now
        self._bar(done / self.params["steps"], f" · loss {float(results['loss']):.4f}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Print the epoch's line."""
        logs = logs or {}
        spent = time.perf_counter() - self._began
        self._spent.append(spent)
        judged = logs.get("val_loss")
        better = judged is not None and (self.best is None or judged < self.best)
        self.best = judged if better else self.best
        # The first epoch compiles, so its speed says nothing about the others.
        first = len(self._spent) == 1
        speed = "compiled" if first else f"{self.rows / spent:,.0f}"
        place = f"{epoch + 1}/{self.params['epochs']}"
        style = "" if better else "dim"
        self.screen.line(
            (f"  {place:>9} {_number(logs.get('loss')):>9} {self._score(logs):>9} ", style),
            (f"{_number(judged):>10} {self._score(logs, 'val_'):>13}", "bold" if better else "dim"),
            (f" {speed:>11} {_most(0.0 if first else self._left(0.0)):>9}", "dim"),
            (" ●" if better else "", "green"),
        )  # fmt: skip

    def _score(self, logs: dict[str, Any], part: str = "") -> str:
        value = logs.get(part + self.score)
        if value is None or self.score != "accuracy":
            return _number(value)
        return f"{100 * value:.1f} %"

    def _bar(self, share: float, more: str) -> None:
        filled = round(share * _WIDTH)
        left = self._left(share, running=True)
        self.screen.live(
            f"  {self._epoch + 1:>4}/{self.params['epochs']} {'━' * filled}"
            f"{'╌' * (_WIDTH - filled)}{more}{f' · {_most(left)} left' if left else ''}"
        )

    def _left(self, share: float, running: bool = False) -> float:
        """Most seconds that training can still take: fewer if it stops early."""
        spent = sorted(self._spent[1:][-9:])
        if not spent:
            return 0.0
        remaining = self.params["epochs"] - self._epoch - (share if running else 1)
        return spent[len(spent) // 2] * max(remaining, 0.0)


def _number(value: Any) -> str:
    if value is None:
        return "–"
    value = float(value)
    return f"{value:.4f}" if abs(value) < 1000 or not math.isfinite(value) else f"{value:.4g}"


def _most(seconds: float) -> str:
    return f"≤ {duration(seconds)}" if seconds else "–"


def duration(seconds: float) -> str:
    """``90`` as ``1 min 30 s``."""
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
