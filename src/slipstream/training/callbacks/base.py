"""`Callback`: code of the user's that runs at set points of a loop."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_HOOKS = (
    "on_train_begin", "on_train_end", "on_test_begin", "on_test_end",
    "on_predict_begin", "on_predict_end", "on_epoch_begin", "on_epoch_end",
    "on_train_batch_begin", "on_train_batch_end", "on_test_batch_begin", "on_test_batch_end",
    "on_predict_batch_begin", "on_predict_batch_end", "on_batch_begin", "on_batch_end",
)  # fmt: skip


class Callback:
    """Base of all callbacks. Override the hooks you need.

    A hook of a batch (`on_train_batch_end` and the like) makes the loop stop after every batch
    for it; without one, many batches run in one dispatch.

    Attributes:
        model: the model being run.
        params: ``epochs``, ``steps`` and ``verbose`` of the run.
        passive: True for one that only watches. Several short epochs may then run before its
            hooks are called, for each of them in order.
    """

    passive = False

    def __init__(self) -> None:
        self._model: Any = None
        self.params: dict[str, Any] = {}

    @property
    def model(self) -> Any:
        """The model being run."""
        return getattr(self, "_model", None)

    def set_model(self, model: Any) -> None:
        """Called with the model before anything else."""
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Called with the facts of the run."""
        self.params = params

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """After the last epoch; `logs` are that epoch's."""

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before an evaluation, also one inside `fit`."""

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """After an evaluation."""

    def on_predict_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Before a prediction."""

    def on_predict_end(self, logs: dict[str, Any] | None = None) -> None:
        """After a prediction."""

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Before an epoch, counted from 0."""

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """After an epoch and its validation."""

    def on_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Older name of `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Older name of `on_train_batch_end`."""

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a training batch."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a training batch; `logs` are the epoch's figures so far."""
        self.on_batch_end(batch, logs=logs)

    def on_test_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of an evaluation."""

    def on_test_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of an evaluation."""

    def on_predict_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Before a batch of a prediction."""

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """After a batch of a prediction."""


class CallbackList(Callback):
    """Several callbacks as one; only the hooks that somebody overrides cost anything.

    Args:
        callbacks: the callbacks, called in this order.
        model: the model they get to see.
        params: facts of the run.
    """

    def __init__(
        self, callbacks: Iterable[Callback] = (), model: Any = None, **params: Any
    ) -> None:
        super().__init__()
        self.callbacks = list(callbacks)
        self._listeners = {
            hook: [c for c in self.callbacks if _overrides(c, hook)] for hook in _HOOKS
        }
        self._watchers = [c for c in self.callbacks if hasattr(c, "progress")]
        self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Any) -> None:
        """Pass the model on."""
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        """Pass the facts of the run on."""
        super().set_params(params)
        for callback in self.callbacks:
            callback.set_params(params)

    def sees_batches(self, mode: str) -> bool:
        """Whether anyone must be called for each batch of ``"train"``, ``"test"``, ``"predict"``."""
        return any(
            self._listeners[f"on_{mode}_batch_{end}"]
            or (mode == "train" and self._listeners[f"on_batch_{end}"])
            for end in ("begin", "end")
        )

    @property
    def watches_only(self) -> bool:
        """Whether nobody acts on an epoch while the training goes on."""
        return all(
            callback.passive
            for end in ("begin", "end")
            for callback in self._listeners[f"on_epoch_{end}"]
        )

    def call(self, hook: str, *args: Any) -> None:
        """Call a hook of everyone who overrides it."""
        for callback in self._listeners[hook]:
            getattr(callback, hook)(*args)

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Tell whoever shows progress that `done` batches of this epoch are on their way."""
        for callback in self._watchers:
            callback.progress(mode, done, results)

    def batch(self, mode: str, end: str, number: int, logs: dict[str, Any] | None = None) -> None:
        """Call a hook of a batch: `end` is ``"begin"`` or ``"end"``."""
        hook = f"on_{mode}_batch_{end}"
        for callback in self.callbacks:
            if _overrides(callback, hook) or (
                mode == "train" and _overrides(callback, f"on_batch_{end}")
            ):
                getattr(callback, hook)(number, logs)


def _overrides(callback: Any, hook: str) -> bool:
    own = getattr(type(callback), hook, None)
    return own is not getattr(Callback, hook) or hook in vars(callback)
