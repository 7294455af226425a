"""What callbacks that watch one figure share: its direction, and what counts as better."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from slipstream.training.callbacks.base import Callback


class MonitorCallback(Callback):
    """Base of callbacks that watch one figure of the epochs' logs.

    Args:
        monitor: name of the figure; ``"val_"`` in front of it for the validation's.
        mode: ``"min"``, ``"max"``, or ``"auto"`` for what the metric of that name says.
        baseline: value to be better than at first; None if any will do.
        min_delta: a smaller change is no improvement.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__}: mode must be 'auto', 'min' or 'max'; got {mode!r}, so "
                "'auto' is used.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best = baseline
        self.min_delta = abs(min_delta)

    def higher_is_better(self, logs: dict[str, Any] | None = None) -> bool:
        """Whether the figure is to grow.

        Raises:
            ValueError: under ``mode="auto"``, if no metric of that name tells.
        """
        if self.mode == "auto":
            self.mode = self._direction(logs or {})
        return self.mode == "max"

    def _direction(self, logs: dict[str, Any]) -> str:
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", ()):
            direction = getattr(metric, "direction", None) or getattr(metric, "_direction", None)
            if getattr(metric, "name", None) == name and direction is not None:
                return "max" if direction == "up" else "min"
        if name == "loss":
            return "min"
        raise ValueError(
            f"{type(self).__name__} cannot tell whether monitor={self.monitor!r} is to grow or to "
            "shrink: no metric of that name says so. Pass mode='max' or mode='min', or one of the "
            f"names there are: {_names(logs)}."
        )

    def improves(self, value: Any, reference: Any) -> bool:
        """Whether `value` beats `reference` by more than `min_delta`; always if that is None."""
        if reference is None:
            return True
        # In float32, the type of the figures: a difference that is lost there is none.
        if self.higher_is_better():
            return bool(np.float32(value - self.min_delta) > np.float32(reference))
        return bool(np.float32(value + self.min_delta) < np.float32(reference))

    def value_in(self, logs: dict[str, Any]) -> float | None:
        """The figure of this epoch; without it a warning and None.

        Raises:
            ValueError: if the figure is not one number.
        """
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} finds no {self.monitor!r} in this epoch's figures, so it "
                f"does nothing. There are: {_names(logs)}.",
                stacklevel=3,
            )
            return None
        if np.ndim(value):
            raise ValueError(
                f"{type(self).__name__} needs one number, but {self.monitor!r} has shape "
                f"{np.shape(value)}. Monitor another figure, or let the metric take the mean."
            )
        return float(value)


def _names(logs: dict[str, Any]) -> str:
    return ", ".join(sorted(logs)) or "none"
