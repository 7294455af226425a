"""Stand-ins for a model, enough for callbacks of Keras and of ours."""

from __future__ import annotations

from typing import Any


class Optimizer:
    """Holds a learning rate."""

    def __init__(self, learning_rate: float = 0.1) -> None:
        self.learning_rate: Any = learning_rate


class Model:
    """Remembers what callbacks do to it; `weights` is whatever the test puts there."""

    def __init__(self, metrics: Any = ()) -> None:
        self.metrics = list(metrics)
        self.optimizer = Optimizer()
        self.stop_training = False
        self.weights: Any = None
        self.saved: list[tuple[str, str]] = []

    def get_weights(self) -> Any:
        return self.weights

    def set_weights(self, weights: Any) -> None:
        self.weights = weights

    def save(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("model", path))

    def save_weights(self, path: str, overwrite: bool = True) -> None:
        self.saved.append(("weights", path))


def drive(callback: Any, epochs: Any, batches: int = 0, model: Model | None = None) -> Any:
    """Call the hooks as `fit` does; give the model and each epoch's logs as they were left.

    Args:
        callback: Keras' or ours.
        epochs: the logs of each epoch.
        batches: batches of an epoch.
        model: the model, a new one if not given.
    """
    model = model or Model()
    callback.set_model(model)
    callback.set_params({"epochs": len(epochs), "steps": batches})
    callback.on_train_begin({})
    seen = []
    for epoch, logs in enumerate(epochs):
        logs = dict(logs)
        callback.on_epoch_begin(epoch, {})
        model.weights = f"after epoch {epoch}"
        for batch in range(batches):
            callback.on_train_batch_begin(batch, {})
            callback.on_train_batch_end(batch, logs)
        callback.on_epoch_end(epoch, logs)
        seen.append(logs)
        if model.stop_training:
            break
    callback.on_train_end({})
    return model, seen
