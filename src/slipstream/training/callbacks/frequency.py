"""Saving after every epoch, or after every so many batches."""

from __future__ import annotations

from typing import Any

from slipstream.training.callbacks.base import Callback


class SavingCallback(Callback):
    """Base of callbacks with a `save_freq`; only a number makes it listen to batches."""

    save_freq: str | int

    def _save_every(self, save_freq: str | int) -> None:
        """Set `save_freq`, ``"epoch"`` or a number of batches.

        Raises:
            ValueError: if it is neither.
        """
        self.save_freq = save_freq
        self._epoch = 0
        self._since_saving = 0
        if save_freq == "epoch":
            return
        if not isinstance(save_freq, int) or save_freq < 1:
            raise ValueError(
                f"save_freq must be 'epoch' or a number of batches, at least 1; got {save_freq!r}."
            )
        vars(self)["on_train_batch_end"] = self._count_batch

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Note the epoch, for what is saved within it."""
        self._epoch = epoch

    def _count_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        type(self).on_train_batch_end(self, batch, logs)  # a subclass may have its own
        self._since_saving += 1
        if self._since_saving >= int(self.save_freq):
            self._since_saving = 0
            self._save_in_epoch(batch, logs or {})

    def _save_in_epoch(self, batch: int, logs: dict[str, Any]) -> None:
        raise NotImplementedError
