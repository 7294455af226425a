"""`ModelCheckpoint`: the model on disk while it is being trained."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np

from slipstream.training.callbacks.frequency import SavingCallback
from slipstream.training.callbacks.monitor import MonitorCallback


class ModelCheckpoint(SavingCallback, MonitorCallback):
    """Saves the model or its weights after each epoch, or every so many batches.

    Args:
        filepath: the file, ending in ``.keras``, or in ``.weights.h5`` for weights alone. It may
            hold fields: ``"{epoch:02d}-{val_loss:.2f}.keras"``; epochs and batches count from 1.
        monitor: name of the figure that decides what is best.
        verbose: 1 prints a line for each decision.
        save_best_only: whether to save only where the figure is the best so far.
        save_weights_only: whether to save weights and optimizer state without the architecture.
        mode: ``"min"``, ``"max"`` or ``"auto"``.
        save_freq: ``"epoch"``, or a number of batches; the loop then stops after every batch.
        initial_value_threshold: value that the first save has to beat already.

    Raises:
        ValueError: if `filepath` has another ending or `save_freq` is unknown; and when it comes
            to compare, if `mode` is ``"auto"`` and no metric tells.
        KeyError: when saving, if `filepath` has a field that the logs lack.
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        MonitorCallback.__init__(self, monitor, mode, initial_value_threshold)
        self.filepath = os.fspath(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self._check_ending()
        self._save_every(save_freq)

    def _check_ending(self) -> None:
        weights = self.filepath.endswith(".weights.h5")
        if self.save_weights_only and not weights:
            raise ValueError(
                "ModelCheckpoint with save_weights_only=True needs a filepath that ends in "
                f"'.weights.h5'; got {self.filepath!r}."
            )
        if not self.save_weights_only and not self.filepath.endswith(".keras"):
            remedy = " Pass save_weights_only=True to save weights alone." if weights else ""
            raise ValueError(
                "ModelCheckpoint saves whole models, so its filepath must end in '.keras'; got "
                f"{self.filepath!r}.{remedy}"
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, where saving goes by epochs."""
        if self.save_freq == "epoch":
            self._save(epoch, {"epoch": epoch + 1}, logs or {})

    def _save_in_epoch(self, batch: int, logs: dict[str, Any]) -> None:
        self._save(self._epoch, {"epoch": self._epoch + 1, "batch": batch + 1}, logs)

    def _save(self, epoch: int, place: dict[str, int], logs: dict[str, Any]) -> None:
        path = self._path({**place, **logs})
        if not self._wanted(epoch, logs, path):
            return
        if os.path.isdir(path):
            raise IsADirectoryError(
                f"ModelCheckpoint cannot write to {path!r}: it is a directory. Pass the path of a "
                "file."
            )
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _path(self, fields: dict[str, Any]) -> str:
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f"filepath={self.filepath!r} has the field {error}, which is not there. There are: "
                f"{', '.join(sorted(fields))}."
            ) from error

    def _wanted(self, epoch: int, logs: dict[str, Any], path: str) -> bool:
        """Whether to save now; where nothing can be compared, yes."""
        if not self.save_best_only:
            self._say(epoch, f"saving the model to {path}")
            return True
        self.higher_is_better(logs)
        if np.ndim(logs.get(self.monitor, 0)):
            warnings.warn(
                f"ModelCheckpoint cannot compare {self.monitor!r}, which is an array of shape "
                f"{np.shape(logs[self.monitor])}, so it saves every time.",
                stacklevel=2,
            )
            return True
        if logs.get(self.monitor) is None:
            warnings.warn(
                f"ModelCheckpoint finds no {self.monitor!r} to tell what is best, so it saves "
                f"every time. There are: {', '.join(sorted(logs)) or 'none'}.",
                stacklevel=2,
            )
            return True
        value = float(logs[self.monitor])
        before = "nothing" if self.best is None else f"{self.best:.5f}"
        if not self.improves(value, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {before}")
            return False
        self.best = value
        self._say(epoch, f"{self.monitor} improved from {before} to {value:.5f}; saving to {path}")
        return True

    def _say(self, epoch: int, what: str) -> None:
        if self.verbose:
            print(f"Epoch {epoch + 1}: {what}")
