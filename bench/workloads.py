"""What is timed: networks, data and batch sizes, the same for every system."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Workload(NamedTuple):
    """A dense classifier and the job it is timed on.

    Attributes:
        features: size of the input.
        hidden: sizes of the hidden layers (relu).
        outputs: 1 (sigmoid, binary cross-entropy) or a number of classes (softmax).
        rows: examples in the data.
        batch: examples a step.
        epochs: epochs of one timed `fit`.
    """

    features: int
    hidden: tuple[int, ...]
    outputs: int
    rows: int
    batch: int
    epochs: int

    @property
    def steps(self) -> int:
        """Steps of one timed `fit`, partial batches included."""
        return -(-self.rows // self.batch) * self.epochs

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs ``(rows, features)`` float32 and targets ``(rows, 1)`` or ``(rows,)`` int32."""
        rng = np.random.default_rng(0)
        x = rng.normal(size=(self.rows, self.features)).astype(np.float32)
        truth = x[:, :8] @ rng.normal(size=(8, max(self.outputs, 2))).astype(np.float32)
        labels = truth.argmax(1).astype(np.int32)
        return x, labels[:, None] if self.outputs == 1 else labels


WORKLOADS = {
    "reference": Workload(100, (10, 20), 1, 1000, 32, 100),
    "mlp": Workload(784, (512, 512), 10, 12_800, 128, 3),
    "long steps": Workload(1024, (2048, 2048), 10, 10_240, 1024, 3),
}


def workload_of(name: str) -> Workload:
    """A workload, also one that is varied: ``"reference; rows=4096; epochs=1"``."""
    name, *parts = name.split("; ")
    return WORKLOADS[name]._replace(
        **{key: int(value) for key, value in (part.split("=") for part in parts)}
    )


def describe(workload: Workload) -> str:
    """``784-512-512-10, batch 128``."""
    sizes = (workload.features, *workload.hidden, workload.outputs)
    return "-".join(map(str, sizes)) + f", batch {workload.batch}"


def predict_rows(name: str) -> Any:
    """Input of the prediction rows: ``"predict 32"`` gives 32 examples."""
    count = int(name.split()[-1])
    return np.random.default_rng(1).normal(size=(count, 100)).astype(np.float32)
