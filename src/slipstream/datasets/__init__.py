"""Datasets by name: `load` finds those that are installed; Keras' own are downloaded once."""

from __future__ import annotations

from slipstream.core.names import nearest
from slipstream.datasets import (
    boston_housing,
    california_housing,
    cifar10,
    cifar100,
    fashion,
    fashion_mnist,
    imdb,
    mnist,
    reuters,
    series,
    speech,
    tables,
    text,
)
from slipstream.datasets.base import Dataset, Entry

__all__ = [
    "Dataset",
    "Entry",
    "available",
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "entries",
    "fashion_mnist",
    "imdb",
    "load",
    "mnist",
    "reuters",
]

_ENTRIES = {
    entry.name: entry
    for module in (mnist, tables, fashion, series, text, speech)
    for entry in module.ENTRIES
}


def load(name: str) -> Dataset:
    """The dataset of this name.

    Raises:
        ValueError: if the name is unknown, or a file is damaged.
        FileNotFoundError: if it is not on this machine, with the ways to get it.
    """
    if name not in _ENTRIES:
        raise ValueError(f"There is no dataset {name!r}. {nearest(name, _ENTRIES)}")
    return _ENTRIES[name].load()


def available() -> list[str]:
    """Names of the datasets that are on this machine."""
    return [name for name, entry in _ENTRIES.items() if entry.find()]


def entries() -> list[Entry]:
    """All datasets that `load` knows, on this machine or not."""
    return list(_ENTRIES.values())
