"""`History`: what `fit` returns."""

from __future__ import annotations

from typing import Any

from slipstream.data.quality.check import Quality
from slipstream.speed import ceilings
from slipstream.speed.split import Work, diagnose
from slipstream.training.callbacks.base import Callback


class History(Callback):
    """Records every epoch.

    Attributes:
        history: the values of each epoch, by name.
        epoch: the numbers of the epochs.
        quality: what ``fit(check=True)`` found in the data; None if it was not asked for.
    """

    passive = True

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.quality: Quality | None = None
        self._run: tuple[dict[str, float], dict[str, Work], float | None] | None = None

    @property
    def speed(self) -> dict[str, Any]:
        """How fast the run was, what bounded it and what could be gained; empty before its end.

        ``docs/speed.md`` explains the entries. Nothing is computed until somebody asks.
        """
        if self._run is None:
            return {}
        seconds, work, predicted = self._run
        return diagnose(seconds, work, ceilings.kept(), predicted)

    def ran(
        self, seconds: dict[str, float], work: dict[str, Work], predicted: float | None = None
    ) -> None:
        """Take what `speed` follows from: time and work by part, and what a forecast said."""
        self._run = (seconds, work, predicted)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start with no epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
