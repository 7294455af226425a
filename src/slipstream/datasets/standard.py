"""What the datasets that Keras has by name have in common: where they lie, how they are cut."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.data.download import get_file

HOME = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"

Pair = tuple[np.ndarray, np.ndarray]


def fetch(path: str, name: str, file_hash: str | None, **options: Any) -> str:
    """The path of a file of the collection, downloaded once and checked.

    Raises:
        OSError: if it is not here and cannot be downloaded.
        ValueError: if its hash is wrong.
    """
    return get_file(fname=path, origin=HOME + name, file_hash=file_hash, **options)


def shuffled(x: np.ndarray, y: np.ndarray, generator: np.random.RandomState) -> Pair:
    """Both in the same new order."""
    order = np.arange(len(x))
    generator.shuffle(order)
    return x[order], y[order]


def parted(x: Any, y: Any, test_split: float, seed: int) -> tuple[Pair, Pair]:
    """Rows in an order that follows from the seed, the last of them for testing.

    Raises:
        ValueError: if `test_split` is no share.
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must lie in [0, 1); got {test_split}.")
    x, y = shuffled(x, y, np.random.RandomState(seed))
    cut = int(len(x) * (1 - test_split))
    return (np.array(x[:cut]), np.array(y[:cut])), (np.array(x[cut:]), np.array(y[cut:]))
