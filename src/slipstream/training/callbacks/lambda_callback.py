"""`LambdaCallback`: a callback out of functions."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from slipstream.training.callbacks.base import Callback


class LambdaCallback(Callback):
    """A callback whose hooks are the functions given.

    Args:
        on_epoch_begin, on_epoch_end: ``(epoch, logs)``.
        on_train_begin, on_train_end: ``(logs)``.
        on_train_batch_begin, on_train_batch_end: ``(batch, logs)``; the loop then stops for them
            at every batch.
        **kwargs: any other method of `Callback`, with its arguments.

    Raises:
        TypeError: if `Callback` has no such method.
    """

    def __init__(
        self,
        on_epoch_begin: Callable[..., Any] | None = None,
        on_epoch_end: Callable[..., Any] | None = None,
        on_train_begin: Callable[..., Any] | None = None,
        on_train_end: Callable[..., Any] | None = None,
        on_train_batch_begin: Callable[..., Any] | None = None,
        on_train_batch_end: Callable[..., Any] | None = None,
        **kwargs: Callable[..., Any],
    ) -> None:
        super().__init__()
        known = [name for name in vars(Callback) if not name.startswith("_")]
        for name in kwargs:
            if name not in known:
                near = get_close_matches(name, known, 1)
                raise TypeError(
                    f"LambdaCallback: a callback has no method {name!r}."
                    + (f" Did you mean {near[0]!r}?" if near else "")
                )
        hooks = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        vars(self).update({name: hook for name, hook in hooks.items() if hook is not None})
