"""`OrbaxCheckpoint`: the training's state in Orbax' checkpoints. Orbax is imported when used."""

from __future__ import annotations

import json
import os
from typing import Any

from slipstream.training.callbacks.model_checkpoint import ModelCheckpoint


class OrbaxCheckpoint(ModelCheckpoint):
    """Saves the model's state with the library Orbax after each epoch, or every so many batches.

    Each checkpoint is a folder named by its number. It holds ``pytree``, which
    `Model.set_state_tree` takes, and, unless weights alone are saved, ``model_config``.

    Args:
        directory: folder of the checkpoints.
        monitor: as in `ModelCheckpoint`.
        verbose: as in `ModelCheckpoint`.
        save_best_only: as in `ModelCheckpoint`.
        mode: as in `ModelCheckpoint`.
        save_freq: as in `ModelCheckpoint`.
        initial_value_threshold: as in `ModelCheckpoint`.
        max_to_keep: number of checkpoints to keep, the newest; None for all.
        save_on_background: whether training goes on while one is written.
        save_weights_only: whether to leave out the optimizer's state and the configuration.

    Raises:
        ImportError: if Orbax is not installed.
    """

    def __init__(
        self,
        directory: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        max_to_keep: int | None = 1,
        save_on_background: bool = True,
        save_weights_only: bool = False,
    ) -> None:
        super().__init__(
            directory, monitor, verbose, save_best_only, save_weights_only, mode, save_freq,
            initial_value_threshold,
        )  # fmt: skip
        self.directory = os.path.abspath(self.filepath)
        self.max_to_keep = max_to_keep
        self.save_on_background = save_on_background
        self._orbax = _orbax()
        self._manager: Any = None
        self._batches = 0

    def _check_ending(self) -> None:
        """A folder may be named as it likes."""

    def _save(self, epoch: int, place: dict[str, int], logs: dict[str, Any]) -> None:
        self._batches += 1
        number = epoch if self.save_freq == "epoch" else self._batches * int(self.save_freq)
        if not self._wanted(epoch, logs, os.path.join(self.directory, str(number))):
            return
        args = self._orbax.args
        tree = self.model.get_state_tree(value_format="numpy_array")
        parts = {}
        if self.save_weights_only:
            kept = ("trainable_variables", "non_trainable_variables")
            tree = {name: tree[name] for name in kept}
        else:
            parts["model_config"] = args.JsonSave(json.loads(self.model.to_json()))
        tree = {name: part for name, part in tree.items() if part}
        manager = self._manager or self._open()
        manager.save(number, args=args.Composite(pytree=args.StandardSave(tree), **parts))

    def _open(self) -> Any:
        options = self._orbax.CheckpointManagerOptions(
            max_to_keep=self.max_to_keep, enable_async_checkpointing=self.save_on_background
        )
        self._manager = self._orbax.CheckpointManager(self.directory, options=options)
        return self._manager

    def wait_until_finished(self) -> None:
        """Wait until what is being written is whole."""
        if self._manager is not None:
            self._manager.wait_until_finished()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Wait for the last checkpoint."""
        self.wait_until_finished()

    def is_multihost_enabled(self) -> bool:
        """Whether several machines train together."""
        return False

    def is_primary_host(self) -> bool:
        """Whether this machine is the one that writes."""
        return True


def _orbax() -> Any:
    try:
        import orbax.checkpoint
    except ImportError as error:
        raise ImportError("OrbaxCheckpoint needs Orbax: pip install 'slipstream[orbax]'") from error
    return orbax.checkpoint
