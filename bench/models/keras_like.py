"""Slipstream and Keras: one way to train and to predict, that of their users."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from bench.models.cases import Case


class System:
    """A model with the weights of the file, ready to be timed.

    Args:
        api: the module `slipstream` or `keras`.
        weights: path of an ``.npz``; it is written if it is not there.
    """

    def __init__(self, api: Any, case: Case, weights: str) -> None:
        self.model, self.case = case.build(api), case
        if os.path.exists(weights):
            with np.load(weights) as file:
                self.model.set_weights([file[name] for name in file.files])
        else:
            np.savez(weights, *self.model.get_weights())
        steps = os.environ.get("BENCH_STEPS")
        self.model.compile(
            api.optimizers.Adam(1e-3),
            None if case.classes == 0 else "sparse_categorical_crossentropy",
            **({} if steps is None else {"steps_per_execution": int(steps)}),
        )
        self.x, self.y = case.data()

    def epoch(self) -> float:
        """Train one epoch in the order of the rows; its mean loss."""
        return float(self._fit().history["loss"][-1])

    def _fit(self) -> Any:
        return self.model.fit(
            self.x, self.y, batch_size=self.case.batch, epochs=1, shuffle=False, verbose=0
        )

    def cost(self) -> dict[str, float]:
        """FLOPs of a step as Slipstream counts them, and its limit on this machine in seconds."""
        from slipstream.speed import ceilings

        ceilings.measure()
        told = self._fit().speed
        least = max(told["limit"]["compute"], told["limit"]["memory"])
        return {"flops": told["flops"] / told["steps"], "limit": least / told["steps"]}

    def predict(self, x: Any) -> np.ndarray:
        """Outputs for these rows, at most 1024 at once."""
        rows = len(x[0] if isinstance(x, list) else x)
        return np.asarray(self.model.predict(x, batch_size=rows, verbose=0))
