"""What ``--data`` names: a dataset, or a file of the user's."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from slipstream import datasets
from slipstream.cli import target as targets
from slipstream.cli.problem import Problem
from slipstream.cli.rows import ArrayFeatures, Rows
from slipstream.datasets import Dataset

DEFAULTS = ("mnist_5k", "digits")  # tried in this order where the user names no data
_ENDINGS = (".npz", ".csv", ".csv.gz", ".parquet")


def read(data: str | None, target: str | None, task: str, drop: list[str]) -> Rows:
    """The rows that `data` names.

    Args:
        data: name of a dataset or path of a file; None for the first of `DEFAULTS` that is here.
        target: the column to predict, for a table.
        task: ``"auto"``, ``"classification"`` or ``"regression"``.
        drop: columns to leave out, for a table.

    Raises:
        Problem: if there is no such data, or nothing can be learned from it.
    """
    if data is None:
        data = next((name for name in DEFAULTS if name in datasets.available()), None)
        if data is None:
            remedies = [entry.remedy for entry in datasets.entries() if entry.name in DEFAULTS]
            raise Problem(
                f"No data: neither {' nor '.join(DEFAULTS)} is on this machine. Get one with: "
                f"{' or: '.join(remedies)}; or pass --data FILE."
            )
    path = Path(data).expanduser()
    known = [entry.name for entry in datasets.entries()]
    if data in known or not (path.exists() or path.suffix or len(path.parts) > 1):
        if target is not None or drop:
            raise Problem(f"--target and --drop belong to a table; {data!r} is a dataset.")
        try:
            return _from_dataset(datasets.load(data), task)
        except (ValueError, FileNotFoundError) as error:
            raise Problem(str(error)) from error
    if not path.exists():
        raise Problem(f"There is no file {data!r}.")
    if not path.is_file():
        raise Problem(f"{data!r} is no file. Pass one that ends in {', '.join(_ENDINGS)}.")
    if not path.name.lower().endswith(_ENDINGS):
        raise Problem(f"{data!r} does not end in {', '.join(_ENDINGS)}; those can be read.")
    if not path.stat().st_size:
        raise Problem(f"{data!r} is empty.")
    if path.suffix.lower() == ".npz":
        if target is not None or drop:
            raise Problem("--target and --drop belong to a table; an .npz file holds x and y.")
        return _from_npz(path, task)
    from slipstream.cli import tables

    return tables.read(path, target, task, drop)


def _from_dataset(data: Dataset, task: str) -> Rows:
    target = targets.read(data.y, "the target", task)
    if target.classes is not None:
        names = data.classes or target.classes
        target = targets.Target(target.y, list(names), "")
    features = None if data.features is None else list(data.features)
    return Rows(
        data.name, data.title, ArrayFeatures(data.x, features), target, data.source, data.licence,
        data.held_out,
    )  # fmt: skip


def _from_npz(path: Path, task: str) -> Rows:
    arrays = _unpack(path)
    if {"x", "y"} <= set(arrays):
        x, y, held_out = arrays["x"], arrays["y"], 0
    elif {"x_train", "y_train", "x_test", "y_test"} <= set(arrays):
        pairs = [(arrays[f"x_{part}"], arrays[f"y_{part}"]) for part in ("train", "test")]
        for (x, y), part in zip(pairs, ("train", "test")):
            _same_length(x, y, f"x_{part}", f"y_{part}")
        if pairs[0][0].shape[1:] != pairs[1][0].shape[1:]:
            raise Problem(
                f"A row of x_train has shape {pairs[0][0].shape[1:]}, one of x_test "
                f"{pairs[1][0].shape[1:]}; they must be equal."
            )
        x, y = (np.concatenate(part) for part in zip(*pairs))
        held_out = len(pairs[1][1])
    else:
        raise Problem(
            f"{path.name} needs arrays named x and y, or x_train, y_train, x_test and y_test; it "
            f"holds {', '.join(arrays) or 'none'}."
        )
    _same_length(x, y, "x", "y")
    return Rows(
        path.name,
        f"{len(x):,} rows of shape {x.shape[1:]}",
        ArrayFeatures(x),
        targets.read(y, "y", task),
        held_out=held_out,
    )


def _unpack(path: Path) -> dict[str, np.ndarray]:
    if not zipfile.is_zipfile(path):
        raise Problem(f"{path.name} is no .npz file. Write one with numpy.savez(file, x=…, y=…).")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError) as error:
        raise Problem(f"{path.name} is no readable .npz file: {error}.") from error
    except ValueError as error:
        if "pickle" not in str(error):
            raise Problem(f"{path.name} is no readable .npz file: {error}.") from error
        raise Problem(
            f"{path.name} holds Python objects, which are not loaded because they can run code. "
            "Save numbers, or text as an array of str."
        ) from error


def _same_length(x: np.ndarray, y: np.ndarray, x_name: str, y_name: str) -> None:
    if not x.ndim or not y.ndim or len(x) != len(y):
        raise Problem(
            f"{x_name} has shape {x.shape} and {y_name} {y.shape}; each row of {x_name} needs one "
            f"target."
        )
