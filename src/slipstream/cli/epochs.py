"""The epochs of a training on the terminal."""

from __future__ import annotations

import math
import time
from typing import Any

from slipstream.cli.screen import Screen
from slipstream.training.callbacks.base import Callback
from slipstream.training.progress import duration

_WIDTH = 24


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
        self._first: tuple[float, float] | None = None  # first look: share of the epoch and time
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
        self._epoch, self._began, self._first = epoch, time.perf_counter(), None
        self._bar(0.0, "")

    def looks(self) -> bool:
        """Whether the bar is due to be drawn anew."""
        return self.screen.moves and time.perf_counter() - self._drawn >= 0.1

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Redraw the bar, at most ten times a second."""
        now = time.perf_counter()
        if mode != "train" or not self.screen.moves or now - self._drawn < 0.1:
            return
        self._drawn = now
        share = done / self.params["steps"]
        self._first = self._first or (share, now)
        self._bar(share, f" · loss {float(results['loss']):.4f}")

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
            (f" {speed:>11} {_most(self._left(1.0)):>9}", "dim"),
            (" ●" if better else "", "green"),
        )  # fmt: skip

    def _score(self, logs: dict[str, Any], part: str = "") -> str:
        value = logs.get(part + self.score)
        if value is None or self.score != "accuracy":
            return _number(value)
        return f"{100 * value:.1f} %"

    def _bar(self, share: float, more: str) -> None:
        filled = round(share * _WIDTH)
        left = self._left(share)
        self.screen.live(
            f"  {self._epoch + 1:>4}/{self.params['epochs']} {'━' * filled}"
            f"{'╌' * (_WIDTH - filled)}{more}{f' · {_most(left)} left' if left else ''}"
        )

    def _left(self, share: float) -> float:
        """Most seconds that training can still take, fewer if it stops early; 0 if unknown."""
        spent = sorted(self._spent[1:][-9:])
        if spent:
            pace = spent[len(spent) // 2]
        elif self._first and share > self._first[0]:
            pace = (self._drawn - self._first[1]) / (share - self._first[0])
        else:
            return 0.0
        return pace * max(self.params["epochs"] - self._epoch - share, 0.0)


def _number(value: Any) -> str:
    if value is None:
        return "–"
    value = float(value)
    return f"{value:.4f}" if abs(value) < 1000 or not math.isfinite(value) else f"{value:.4g}"


def _most(seconds: float) -> str:
    return f"≤ {duration(seconds)}" if seconds else "–"
