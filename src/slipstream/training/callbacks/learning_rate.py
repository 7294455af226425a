"""Callbacks that change the learning rate between epochs."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.training.callbacks.base import Callback
from slipstream.training.callbacks.monitor import MonitorCallback


def learning_rate_of(optimizer: Any) -> float:
    """The present learning rate.

    Raises:
        ValueError: if the optimizer keeps it to itself.
    """
    if not hasattr(optimizer, "learning_rate"):
        raise ValueError(
            f"The optimizer {optimizer!r} has no learning rate that could be read or set. With "
            "optax, wrap it: optax.inject_hyperparams(…)(learning_rate=…)."
        )
    return float(np.asarray(optimizer.learning_rate))


class LearningRateScheduler(Callback):
    """Sets the learning rate before each epoch, and adds it to the epoch's logs.

    Args:
        schedule: ``(epoch, learning_rate) -> learning_rate`` or ``epoch -> learning_rate``; epochs
            count from 0.
        verbose: 1 prints the new value.

    Raises:
        ValueError: before an epoch, if `schedule` gives no number.
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose
        self._takes_rate = _takes_two(schedule)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the learning rate."""
        optimizer = self.model.optimizer
        before = learning_rate_of(optimizer)
        value = self.schedule(epoch, before) if self._takes_rate else self.schedule(epoch)
        if isinstance(value, (bool, str)) or np.ndim(value) or not np.isrealobj(value):
            value = None
        try:
            rate = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ValueError(
                f"schedule must give one number for epoch {epoch}; it gave {value!r}."
            ) from None
        optimizer.learning_rate = rate
        if self.verbose:
            print(f"Epoch {epoch + 1}: the learning rate is set to {rate:g}")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the learning rate to the logs."""
        if logs is not None:
            logs["learning_rate"] = learning_rate_of(self.model.optimizer)


def _takes_two(schedule: Callable[..., Any]) -> bool:
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:  # a builtin that does not tell
        return True
    return True


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when a figure no longer improves, and adds it to the logs.

    Args:
        monitor: name of the figure.
        factor: the learning rate is multiplied by it.
        patience: epochs without improvement before that.
        verbose: 1 prints the new value.
        mode: ``"min"``, ``"max"`` or ``"auto"``.
        min_delta: a smaller change is no improvement.
        cooldown: epochs after a reduction during which none are counted.
        min_lr: the learning rate does not go below it.

    Raises:
        ValueError: if `factor` is 1 or more; at the end of an epoch, if `mode` is ``"auto"`` and
            no metric tells.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(f"factor must be below 1, so that the rate falls; got {factor}.")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = 0
        self.cooldown_counter = 0

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget an earlier training."""
        self.best = None
        self.wait = 0
        self.cooldown_counter = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction is too recent for epochs to count."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Judge the epoch."""
        logs = {} if logs is None else logs
        self.higher_is_better(logs)
        rate = logs["learning_rate"] = learning_rate_of(self.model.optimizer)
        value = self.value_in(logs)
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self.improves(value, self.best):
            self.best = value
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and rate > np.float32(self.min_lr):
                rate = max(rate * self.factor, self.min_lr)
                self.model.optimizer.learning_rate = rate
                self.cooldown_counter = self.cooldown
                self.wait = 0
                if self.verbose:
                    print(f"Epoch {epoch + 1}: the learning rate is reduced to {rate:g}")
