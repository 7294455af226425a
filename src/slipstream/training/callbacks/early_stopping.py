"""`EarlyStopping`: no epochs that bring nothing."""

from __future__ import annotations

from typing import Any

from slipstream.training.callbacks.monitor import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stops training when a figure no longer improves.

    Args:
        monitor: name of the figure.
        min_delta: a smaller change is no improvement.
        patience: epochs without improvement after which training stops.
        verbose: 1 prints a line when it stops or restores.
        mode: ``"min"``, ``"max"`` or ``"auto"``.
        baseline: an improvement counts only once the figure beats this.
        restore_best_weights: whether to go back to the weights of the best epoch at the end,
            however the training ended.
        start_from_epoch: epochs at the beginning that do not count.

    Attributes:
        stopped_epoch: number of the epoch after which it stopped, 0 if it did not.
        best, best_epoch: the best value, and where it was.

    Raises:
        ValueError: at the end of an epoch, if `mode` is ``"auto"`` and no metric tells.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._restart()

    def _restart(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: float | None = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        self._restart()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judge the epoch."""
        logs = logs or {}
        self.higher_is_better(logs)
        value = self.value_in(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self.improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self.improves(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the best weights, if asked to."""
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose:
                print(f"Restoring the weights of the best epoch, {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
