"""`History`: what `fit` returns."""

from __future__ import annotations

from typing import Any

from slipstream.training.callbacks.base import Callback


class History(Callback):
    """Records every epoch.

    Attributes:
        history: the values of each epoch, by name.
        epoch: the numbers of the epochs.
    """

    passive = True

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Start with no epochs."""
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the epoch."""
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
