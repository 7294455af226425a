"""Datasets of files: what images, sounds and texts in folders have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from slipstream.data.dataset import IndexedDataset, stack
from slipstream.data.folders.folder import (
    Listing,
    check_labels,
    check_split,
    encode_labels,
    list_files,
    part,
    shuffled,
)


class FileDataset(IndexedDataset):
    """Batches of what files hold, read by threads while the device works.

    Attributes:
        class_names: names of the classes, in the order of their numbers.
        file_paths: the files, in the order before shuffling.
    """

    def __init__(
        self,
        listing: Listing,
        label_mode: str | None,
        read: Callable[[str], Any],
        batch_size: int | None,
        shuffle: bool,
        seed: int | None,
        join: Callable[[list[Any]], Any],
    ) -> None:
        self.class_names = listing.class_names
        self.file_paths = listing.paths
        targets = None
        if label_mode is not None and listing.labels is not None:
            targets = encode_labels(listing.labels, label_mode, listing.class_names)

        def load(number: int) -> Any:
            content = read(listing.paths[number])
            return content if targets is None else (content, targets[number])

        # By their names, so that the order of a pass follows from its seed alone.
        numbers = np.array(sorted(range(len(listing.paths)), key=listing.paths.__getitem__))
        if not shuffle:
            numbers = np.arange(len(listing.paths))
        super().__init__(numbers, load, batch_size, shuffle, seed, join)


def from_directory(
    directory: Any,
    read: Callable[[str], Any],
    extensions: tuple[str, ...],
    what: str,
    *,
    labels: Any,
    label_mode: str | None,
    class_names: Any,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
    join: Callable[[list[Any]], Any] = stack,
) -> Any:
    """The dataset of a folder's files, or two for ``subset="both"``."""
    if labels is None:
        label_mode = None
    check_split(validation_split, subset, shuffle, seed)
    listing = list_files(directory, labels, class_names, extensions, follow_links, what)
    check_labels(labels, label_mode, listing.class_names)
    total = len(listing.paths)
    if shuffle:
        listing = shuffled(listing, seed)

    def make(which: str | None) -> FileDataset:
        chosen = part(listing, validation_split, which)
        if verbose and which is not None:
            print(f"Using {len(chosen.paths)} files for {which}.")
        return FileDataset(chosen, label_mode, read, batch_size, shuffle, seed, join)

    if verbose:
        classes = f" belonging to {len(listing.class_names)} classes" if listing.labels else ""
        print(f"Found {total} files{classes}.")
    if subset == "both":
        return make("training"), make("validation")
    return make(subset)
