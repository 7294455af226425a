"""Small pictures of things, 32 × 32 in colour (Krizhevsky, 2009): the files of both sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slipstream.core import config
from slipstream.data.download import get_file
from slipstream.datasets.objects import read_pickle
from slipstream.datasets.standard import Pair

_HOME = "https://www.cs.toronto.edu/~kriz/"


def load(
    name: str,
    inside: str,
    file_hash: str,
    parts: Sequence[Sequence[str]],
    key: str,
    dtype: str,
) -> tuple:
    """``(x_train, y_train), (x_test, y_test)`` in the format of images that is in force.

    Args:
        name: of the archive.
        inside: folder in it.
        file_hash: SHA-256 of the archive.
        parts: files for training, and for testing.
        key: entry of the files that holds the labels.
        dtype: type of the labels.
    """
    folder = Path(
        get_file(fname=f"{inside}-target", origin=_HOME + name, extract=True, file_hash=file_hash),
        inside,
    )
    return tuple(_read([folder / file for file in files], key, dtype) for files in parts)


def _read(files: Sequence[Path], key: str, dtype: str) -> Pair:
    pictures, labels = [], []
    for path in files:
        with open(path, "rb") as file:
            found = read_pickle(file)
        pictures.append(found[b"data"].reshape(-1, 3, 32, 32))
        labels.extend(found[key.encode()])
    x = np.concatenate(pictures)
    if config.image_data_format() == "channels_last":
        x = x.transpose(0, 2, 3, 1)
    return x, np.array(labels, dtype).reshape(-1, 1)
