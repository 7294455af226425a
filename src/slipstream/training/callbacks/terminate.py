"""`TerminateOnNaN`: no training on numbers that are none."""

from __future__ import annotations

import math
import time
from typing import Any

from slipstream.training.callbacks.base import Callback

_SECONDS = 0.1  # between two looks at a device that is still at work


class TerminateOnNaN(Callback):
    """Stops training when the loss is NaN or infinite.

    It looks at the epoch's loss so far after each dispatch, a fraction of a second apart, so the
    loop need not stop after every batch: a loss that was once NaN stays so for the epoch.

    Args:
        raise_error: whether to raise instead of ending the training in order.

    Raises:
        RuntimeError: during training, with `raise_error`.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error
        self._looked = 0.0
        self._found = False

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        self._looked = 0.0
        self._found = False

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Look at the loss, if the last look is some time ago or the loss is known already."""
        loss = results.get("loss")
        if mode != "train" or loss is None:
            return
        if isinstance(loss, float) or time.perf_counter() - self._looked > _SECONDS:
            self._check(loss, f"after batch {done}")
            self._looked = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Look at the loss of the epoch."""
        if logs and "loss" in logs:
            self._check(logs["loss"], f"at the end of epoch {epoch + 1}")

    def _check(self, loss: Any, where: str) -> None:
        value = float(loss)
        if self._found or math.isfinite(value):
            return
        self._found = True
        message = f"The loss is {value} {where}: training is stopped."
        if self.raise_error:
            raise RuntimeError(message)
        print(message)
        self.model.stop_training = True
