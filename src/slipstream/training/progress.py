"""The progress of a loop on the terminal."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

from slipstream.core import config
from slipstream.training.callbacks.base import Callback

_WIDTH = 24


class ProgbarLogger(Callback):
    """Prints a line an epoch; on a terminal it is a bar while the epoch runs.

    ``verbose=1`` shows the bar with figures, samples a second and the time left, ``verbose=2``
    one line an epoch, ``verbose=0`` nothing.
    """

    passive = True

    def __init__(self) -> None:
        super().__init__()
        self._began = self._drawn = time.perf_counter()
        self._epoch = 0
        self._bar = False
        self._inside = False
        self._done = 0

    def set_params(self, params: dict[str, Any]) -> None:
        """Take verbosity and lengths."""
        super().set_params(params)
        self.verbose = params.get("verbose", 1)
        self._live = self.verbose == 1 and config.interactive() and sys.stdout.isatty()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Know that evaluations from here on are part of a training."""
        self._inside = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Forget it again."""
        self._inside = False

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the epoch's line."""
        self._began = self._drawn = time.perf_counter()
        self._epoch, self._done = epoch, 0

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start an evaluation's line, unless it is part of an epoch."""
        if not self._inside:
            self._began = self._drawn = time.perf_counter()
            self._done = 0

    def looks(self) -> bool:
        """Whether the bar is due to be drawn anew."""
        return self._live and time.perf_counter() - self._drawn >= 0.1

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Redraw the bar, at most ten times a second."""
        if self._inside and mode != "train":
            return
        self._done = done
        now = time.perf_counter()
        if not self._live or now - self._drawn < 0.1:
            return
        self._drawn = now
        figures = dict(sorted(results.items()))
        total = self.params.get("steps")
        left = "" if not total else f"{duration((now - self._began) / done * (total - done))} left"
        share = done / total if total else 0
        filled = round(share * _WIDTH)
        bar = "━" * filled + "╌" * (_WIDTH - filled)
        head = f"Epoch {self._epoch + 1}/{self.params.get('epochs')} " if self._inside else ""
        sys.stdout.write(
            f"\r\x1b[2K{head}{bar} {done}/{total or '?'} · {_figures(figures)} · {left}"
        )
        sys.stdout.flush()
        self._bar = True

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Finish the epoch's line."""
        self._line(f"Epoch {epoch + 1}/{self.params.get('epochs')}", logs or {})

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Finish an evaluation's line."""
        if not self._inside:
            self._line("Test", logs or {})

    def _line(self, head: str, logs: dict[str, Any]) -> None:
        # Epochs that ran in one dispatch are told afterwards, with the time each took.
        seconds = self.params.get("epoch_seconds") or time.perf_counter() - self._began
        speed = ""
        if self.params.get("samples"):
            speed = f" · {self.params['samples'] / seconds:,.0f} samples/s"
        line = f"{head} · {duration(seconds)}{speed} · {_figures(logs)}"
        tell(line, over=self._bar)
        self._bar = False


def tell(line: str, over: bool = False) -> None:
    """Print a line, `over` the one that is there, or send it to the log."""
    if not config.interactive():
        logging.getLogger("slipstream").info(line)
        return
    start = "\r\x1b[2K" if over else ""
    sys.stdout.write(f"{start}{line}\n")
    sys.stdout.flush()


def _figures(logs: dict[str, Any]) -> str:
    parts = []
    for name, value in logs.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            continue
        small = 0 < abs(number) < 1e-3
        parts.append(f"{name}: {number:.3e}" if small else f"{name}: {number:.4f}")
    return " - ".join(parts)


def duration(seconds: float) -> str:
    """``90`` as ``1 min 30 s``."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
