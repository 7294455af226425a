"""Datasets of text files."""

from __future__ import annotations

from typing import Any

from slipstream.data.folders.files import from_directory


def text_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Text files in a folder, a folder a class, as batches of strings.

    Batches are ``(batch,)`` arrays of Python strings, and targets unless label_mode is None. Turn
    them into numbers before `fit`: ``dataset.map(lambda x, y: (vectorize(x), y))``.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
            subset, follow_links, verbose: as in `image_dataset_from_directory`.
        max_length: characters kept of each text.
        format: kept for Keras' signature.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if arguments do not fit, there are no ``.txt`` files or, while reading, one is
            not UTF-8.
    """

    def read(path: str) -> str:
        try:
            with open(path, encoding="utf-8", newline="") as file:
                return file.read(-1 if max_length is None else max_length)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"The text {path!r} is not UTF-8: {error}. Convert it, or remove it from the data."
            ) from error

    return from_directory(
        directory,
        read,
        (".txt",),
        "text",
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
    )
