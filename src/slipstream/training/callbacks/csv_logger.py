"""`CSVLogger`: the epochs as a table in a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from typing import IO, Any

from slipstream.training.callbacks.base import Callback


class CSVLogger(Callback):
    """Writes a line for each epoch: its number from 0, then the figures by name.

    The columns are those of the first epoch, with a ``val_`` column for each if it had none;
    what an epoch lacks is ``NA``. A line is on disk as soon as it is written.

    Args:
        filename: the file.
        separator: between two values.
        append: whether to go on with the file that is there, or to replace it.
    """

    passive = True

    def __init__(self, filename: Any, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = os.fspath(filename)
        self.sep = separator
        self.append = append
        self._file: IO[str] | None = None
        self._writer: Any = None

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Open the file."""
        self._close()
        mode = "a" if self.append else "w"
        self._file = open(self.filename, mode, newline="")  # noqa: SIM115  closed at the end

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the epoch's line."""
        assert self._file is not None
        logs = logs or {}
        if self._writer is None:
            names = sorted(logs)
            if not any(name.startswith("val_") for name in names):
                names += [f"val_{name}" for name in names]
            self._writer = csv.DictWriter(
                self._file, ["epoch", *names], restval="NA", extrasaction="ignore",
                delimiter=self.sep,
            )  # fmt: skip
            if not self._file.tell():
                self._writer.writeheader()
        self._writer.writerow({**{k: _cell(v) for k, v in logs.items()}, "epoch": epoch})
        self._file.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the file."""
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None


def _cell(value: Any) -> Any:
    """A list in brackets and quotes; anything else as it is."""
    single = not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0
    if isinstance(value, str) or single:
        return value
    return f'"[{", ".join(map(str, value))}]"'
