"""What a dataset is, and where its files may lie."""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slipstream.core import config

NAMED = 3  # files in an error


@dataclass(frozen=True)
class Dataset:
    """Examples with their targets and where they come from.

    Attributes:
        name: what `load` was asked for.
        title: one line on what is in it.
        x: inputs ``(examples, …)``; images are ``(examples, height, width)`` uint8, texts are
            Python strings ``(examples,)``, the rows of a series follow in time.
        y: class numbers ``(examples,)`` int32, or values float32 where `classes` is None.
        classes: name of each class, or None for a regression.
        features: name of each column of `x`, or None for images and texts.
        source: the package or work that the data come from.
        licence: what they may be used under.
        held_out: how many of the last rows the makers of the set keep for testing.
    """

    name: str
    title: str
    x: np.ndarray
    y: np.ndarray
    classes: tuple[str, ...] | None
    features: tuple[str, ...] | None
    source: str
    licence: str
    held_out: int = 0


@dataclass(frozen=True)
class Entry:
    """A dataset that can be asked for by name.

    Attributes:
        name, title, source, licence: as in `Dataset`.
        files: names of its files.
        places: folders they may lie in, besides the cache directory.
        command: what gets it; ``{cache}`` in it stands for the cache directory.
        read: makes the dataset from the folder that holds the files.
    """

    name: str
    title: str
    source: str
    licence: str
    files: tuple[str, ...]
    places: Callable[[], list[Path]]
    command: str
    read: Callable[[Entry, Path], Dataset]

    @property
    def remedy(self) -> str:
        """The command that gets it."""
        return self.command.replace("{cache}", str(cache_folder()))

    def find(self) -> Path | None:
        """The first folder that holds all of the files, the cache directory first."""
        for folder in [cache_folder(), *self.places()]:
            if all((folder / file).is_file() for file in self.files):
                return folder
        return None

    def load(self) -> Dataset:
        """The dataset.

        Raises:
            FileNotFoundError: if its files are nowhere, with the ways to get them.
            ValueError: if a file is damaged.
        """
        folder = self.find()
        if folder is None:
            raise FileNotFoundError(
                f"The dataset {self.name!r} is not on this machine. Get it with: {self.remedy} "
                f"(or put {self._named()} into {cache_folder()})."
            )
        try:
            return self.read(self, folder)
        except (ValueError, OSError, EOFError, zlib.error) as error:
            raise ValueError(
                f"The dataset {self.name!r} in {folder} is damaged: {error}. Get it anew with: "
                f"{self.remedy}"
            ) from error

    def _named(self) -> str:
        """The files, the first of them where there are many."""
        if len(self.files) <= NAMED + 1:
            return " and ".join(self.files)
        return f"{', '.join(self.files[:NAMED])} and {len(self.files) - NAMED} more files"


def cache_folder() -> Path:
    """The user's own place for datasets."""
    return config.cache_dir() / "datasets"


def package_folder(package: str, *inside: str) -> list[Path]:
    """A folder of an installed package, found without importing it; empty if there is none."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return []
    roots = (spec.submodule_search_locations or []) if spec else []
    return [Path(root, *inside) for root in roots]
