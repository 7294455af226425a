"""`SwapEMAWeights`: judging the averaged weights while the others are trained."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.training.callbacks.base import Callback


class SwapEMAWeights(Callback):
    """Puts the optimizer's moving averages in place of the weights to evaluate and predict.

    The weights come back afterwards, bit for bit. The averages themselves are never changed.

    Args:
        swap_on_epoch: whether the averages are also in place from the end of each epoch to the
            beginning of the next, for callbacks that come after this one in the list, such as
            `ModelCheckpoint`. `BackupAndRestore` belongs before it.

    Raises:
        ValueError: on the first swap, if the optimizer keeps no averages (``use_ema=True``).
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._kept: list[np.ndarray] | None = None  # the weights, while averages stand for them

    def _pairs(self) -> list[tuple[Any, Any]]:
        optimizer = self.model.optimizer
        if not getattr(optimizer, "use_ema", False):
            raise ValueError(
                f"SwapEMAWeights needs an optimizer that keeps averages; {optimizer!r} does not. "
                "Create it with use_ema=True."
            )
        own = optimizer._own
        return [(w, own.averages[own.places[id(w)]]) for w in own.weights if id(w) in own.places]

    def _swap_in(self) -> None:
        if self._kept is None:
            pairs = self._pairs()
            self._kept = [np.array(weight.value) for weight, _ in pairs]
            for weight, average in pairs:
                weight.assign(average.value)

    def _swap_out(self) -> None:
        if self._kept is not None:
            for (weight, _), value in zip(self._pairs(), self._kept):
                weight.assign(value)
            self._kept = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Train on from the weights that the model has now."""
        self._kept = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Weights back in place."""
        if self.swap_on_epoch:
            self._swap_out()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Averages in place, with `swap_on_epoch`."""
        if self.swap_on_epoch:
            self._swap_in()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Leave the averages in place: training ends with them anyway."""
        self._kept = None

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Averages in place."""
        self._swap_in()

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Weights back in place."""
        self._swap_out()

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Averages in place."""
        self._swap_in()

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """Weights back in place."""
        self._swap_out()
