"""`BackupAndRestore`: a run that was killed goes on as if nothing had happened."""

from __future__ import annotations

import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.data import epochs
from slipstream.data.batch_source import BatchSource
from slipstream.data.dataset import Place
from slipstream.data.streams.stream import Failure
from slipstream.training.callbacks.frequency import SavingCallback

_FORMAT = 2
_MOST_BAD = 10_000  # files that are named
_BAD_BYTES = 2**21  # a sixteenth of what their names and reasons may take
_HEADER_BYTES = 65_536  # more than any header of ours, and than that of an array in .npy


class BackupAndRestore(SavingCallback):
    """Keeps the state of the run in a file, and goes on from it when `fit` is called again.

    The file holds all weights, the optimizer's state, the epoch and the run's seed, and the means
    of a `StochasticWeightAveraging`. Shuffling, dropout and the order of a `Stream` follow from
    seed and step, so the resumed run ends with the very weights of an uninterrupted one. Training
    begins with the first epoch that is not complete in the backup. Files that could not be read are
    still named, and what they left out keeps its place. At the end of a training the
    backup is deleted, but not after Ctrl-C.

    A backup is written beside the old one and then takes its place, so that a kill at any moment
    leaves a whole one.

    Args:
        backup_dir: directory of its own for the backups.
        save_freq: ``"epoch"``, or a number of batches. A backup from within an epoch brings back
            its weights, and the epoch goes on with the next batch; its logs are then those of the
            batches that were left. The loop stops after every batch for it.
        double_checkpoint: whether to keep the backup before the last, too. It is used when the
            last is damaged.
        delete_checkpoint: whether to delete the backups when training ends.

    Raises:
        ValueError: if an argument is wrong; when training begins, if the backup is damaged or
            belongs to another model.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("backup_dir is empty. Pass the path of a directory for the backups.")
        self.backup_dir = Path(backup_dir)
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._latest = self.backup_dir / "latest.npz"
        self._previous = self.backup_dir / "previous.npz"
        self._part = self.backup_dir / "latest.npz.part"
        self._save_every(save_freq)
        self._feed: Any = None

    def set_feed(self, feed: Any) -> None:
        """Know the training data, to leave out what an epoch had of them already."""
        self._feed = feed

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Go back to the last whole backup, if there is one."""
        found = [path for path in (self._latest, self._previous) if path.exists()]
        for path in found:
            try:
                header, bad, values = _read(path, self._variables())
            except _Damaged as error:
                if path == found[-1]:
                    raise
                warnings.warn(f"{error} The backup before it is used.", stacklevel=2)
            else:
                for variable, value in values:
                    variable.assign(value)
                self.model._session.live.seed = header["seed"]
                self._resume(
                    header["epoch"],
                    header["batch"],
                    Place(header["seed"], header["pass"], header["taken"]),
                    bad,
                )
                return

    def _resume(self, epoch: int, batch: int, place: Place, bad: list[Failure]) -> None:
        feed = self._feed
        if feed is not None:
            source = feed.source
            stop = epochs.end(place, source.steps, source.whole)
            if batch and stop is not None and place.skip + batch >= stop:  # nothing is left of it
                epoch, batch, place = epoch + 1, 0, source.after(place)
            feed.place, feed.skip = place, batch
            known = self._bad()
            known[:] = dict.fromkeys([*known, *bad])
        self.model._resume_epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Save, where saving goes by epochs; an epoch cut short by Ctrl-C does not count."""
        if self.save_freq == "epoch" and not getattr(self.model, "interrupted", False):
            self._save(epoch + 1, 0)

    def _save_in_epoch(self, batch: int, logs: dict[str, Any]) -> None:
        self._save(self._epoch, batch + 1 if self._feed is None else self._feed.passed(batch + 1))

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Delete the backups of a training that came to its end."""
        if not self.delete_checkpoint or getattr(self.model, "interrupted", False):
            return
        for path in (self._latest, self._previous, self._part):
            path.unlink(missing_ok=True)
        if self.backup_dir.is_dir() and not any(self.backup_dir.iterdir()):
            self.backup_dir.rmdir()

    def _bad(self) -> list[Failure]:
        """Files of the training data that could not be read; the stream's own list."""
        source = None if self._feed is None else self._feed.source
        return source.bad if isinstance(source, BatchSource) else []

    def _variables(self) -> list[Any]:
        optimizer = self.model.optimizer
        own = [] if optimizer is None else optimizer.variables
        return [*self.model.variables, *own, *getattr(self.model, "_companions", ())]

    def _save(self, epoch: int, batch: int) -> None:
        seed = int(self.model._session.live.seed)
        place = (None if self._feed is None else self._feed.place) or Place(seed)
        header = {
            "format": _FORMAT,
            "epoch": epoch,
            "batch": batch,  # of the epoch, with those of which nothing could be read
            "seed": seed,
            "pass": place.number,
            "taken": place.skip,  # of it, when the epoch began
        }
        arrays: dict[str, Any] = {
            "header": np.frombuffer(json.dumps(header).encode(), np.uint8),
            **{str(i): _plain(v.numpy()) for i, v in enumerate(self._variables())},
        }
        if bad := self._bad()[:_MOST_BAD]:
            arrays["bad"] = np.frombuffer(json.dumps(bad).encode(), np.uint8)
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        with open(self._part, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        if self.double_checkpoint and self._latest.exists():
            os.replace(self._latest, self._previous)
        os.replace(self._part, self._latest)


class _Damaged(ValueError):
    """The file is no whole backup."""


def _read(
    path: Path, variables: list[Any]
) -> tuple[dict[str, Any], list[Failure], list[tuple[Any, np.ndarray]]]:
    """Header, files that could not be read, and each variable with its value; changes nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(_member(archive, "header", 0).tobytes())
            if header["format"] != _FORMAT:
                raise ValueError(f"it has format {header['format']}, not {_FORMAT}")
            names = ("epoch", "batch", "seed", "pass", "taken")
            header = {name: int(header[name]) for name in names}
            bad: list[Failure] = []
            if "bad.npy" in archive.namelist():
                found = json.loads(_member(archive, "bad", _BAD_BYTES).tobytes())
                bad = [(str(file), str(reason)) for file, reason in found]
            count = len(set(archive.namelist()) - {"header.npy", "bad.npy"})
            if count != len(variables):
                raise _misfit(path, f"it holds {count} variables, the model {len(variables)}")
            return header, bad, list(_values(archive, path, variables))
    except (_Misfit, _Damaged):
        raise
    except (ValueError, KeyError, TypeError, OSError, EOFError, MemoryError,
            zipfile.BadZipFile, NotImplementedError) as error:  # fmt: skip
        raise _Damaged(
            f"The backup {str(path)!r} is damaged: {error or type(error).__name__}. Delete it to "
            "start from the beginning."
        ) from error


class _Misfit(ValueError):
    """The backup belongs to another model."""


def _misfit(path: Path, why: str) -> _Misfit:
    return _Misfit(
        f"The backup {str(path)!r} belongs to another model: {why}. Delete it to start from the "
        "beginning, or pass another backup_dir."
    )


def _values(
    archive: zipfile.ZipFile, path: Path, variables: list[Any]
) -> Iterator[tuple[Any, np.ndarray]]:
    for index, variable in enumerate(variables):
        wanted = jnp.dtype(variable.dtype)
        value = _member(archive, str(index), variable.size * wanted.itemsize)
        if value.shape != variable.shape or value.dtype != _plain_type(wanted):
            raise _misfit(
                path,
                f"{variable.path!r} has shape {variable.shape} and type {variable.dtype}, the "
                f"backup {value.shape} and {value.dtype} in its place",
            )
        yield variable, value.view(wanted)


def _member(archive: zipfile.ZipFile, name: str, size: int) -> np.ndarray:
    """An array of about `size` bytes; a member that claims to be much larger is not read."""
    info = archive.getinfo(f"{name}.npy")
    if info.file_size > 16 * size + _HEADER_BYTES:
        raise ValueError(f"{name!r} declares {info.file_size:,} bytes")
    content = io.BytesIO(archive.read(info))
    return np.asarray(np.lib.format.read_array(content, allow_pickle=False))


def _plain_type(dtype: np.dtype) -> np.dtype:
    """A type that NumPy's format knows, of the same size: bfloat16 and the like go as bits."""
    return np.dtype(f"uint{8 * dtype.itemsize}") if dtype.kind == "V" else dtype


def _plain(value: np.ndarray) -> np.ndarray:
    return value.view(_plain_type(value.dtype))
