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
            hooks are called, for each of them in order. A subclass has to say so itself.
    """

    passive = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "passive" not in vars(cls):  # it may look at weights where its base did not
            cls.passive = False

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

    A training loop of the user's own calls its hooks, which are those of every callback.

    Args:
        callbacks: the callbacks, called in this order.
        add_history: whether to add a `History` if there is none.
        add_progbar: whether to add a `ProgbarLogger` if there is none.
        model: the model they get to see.
        params: facts of the run.
    """

    def __init__(
        self,
        callbacks: Iterable[Callback] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks = list(callbacks or ())
        if add_progbar:
            from slipstream.training.progress import ProgbarLogger

            self._add(ProgbarLogger)
        if add_history:
            from slipstream.training.callbacks.history import History

            self._add(History)
        self._listeners = {
            hook: [c for c in self.callbacks if _overrides(c, hook)] for hook in _HOOKS
        }
        # Of the class: an attribute of that name may be the user's own progress bar.
        self._watchers: list[Any] = [c for c in self.callbacks if hasattr(type(c), "progress")]
        self.set_model(model)
        self.set_params(params)

    def _add(self, kind: type[Callback]) -> None:
        if not any(isinstance(callback, kind) for callback in self.callbacks):
            self.callbacks.append(kind())

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
        """Whether anyone must be called for each batch; `mode` is ``"train"`` and the like."""
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

    def set_feed(self, feed: Any) -> None:
        """Show the training data to everyone who wants to see them."""
        for callback in self.callbacks:
            if hasattr(type(callback), "set_feed"):
                callback.set_feed(feed)  # type: ignore[attr-defined]

    def call(self, hook: str, *args: Any) -> None:
        """Call a hook of everyone who overrides it."""
        args = _arguments(hook, args)
        for callback in self._listeners[hook]:
            getattr(callback, hook)(*args)

    def looks(self) -> bool:
        """Whether somebody is about to look at the figures of a batch."""
        return any(callback.looks() for callback in self._watchers if hasattr(callback, "looks"))

    def progress(self, mode: str, done: int, results: Any) -> None:
        """Tell whoever shows progress that `done` batches of this epoch are on their way."""
        for callback in self._watchers:
            callback.progress(mode, done, results)

    def batch(self, mode: str, end: str, number: int, logs: dict[str, Any] | None = None) -> None:
        """Call a hook of a batch: `end` is ``"begin"`` or ``"end"``."""
        hook = f"on_{mode}_batch_{end}"
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            if _overrides(callback, hook) or (
                mode == "train" and _overrides(callback, f"on_batch_{end}")
            ):
                getattr(callback, hook)(number, logs)
        if end == "end":
            self.progress(mode, number + 1, logs)


def _arguments(hook: str, given: tuple[Any, ...], logs: Any = None) -> tuple[Any, ...]:
    """A hook's arguments, with empty logs where there are none: users' hooks may insist on them."""
    numbers = int("epoch" in hook or "batch" in hook)
    logs = given[numbers] if len(given) > numbers else logs
    return (*given[:numbers], {} if logs is None else logs)


def _passed_on(hook: str) -> Any:
    def call(self: CallbackList, *args: Any, logs: Any = None) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*_arguments(hook, args, logs))

    return call


for _hook in _HOOKS:
    setattr(CallbackList, _hook, _passed_on(_hook))


def _overrides(callback: Any, hook: str) -> bool:
    own = getattr(type(callback), hook, None)
    return own is not getattr(Callback, hook) or hook in vars(callback)
