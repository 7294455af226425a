"""Files in a folder, a folder a class: which there are, their labels, and who gets which part."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np

from slipstream.core.random import draw_seed

LABEL_MODES = ("int", "categorical", "binary", None)


class Listing(NamedTuple):
    """Files and the class number of each (None without labels)."""

    paths: list[str]
    labels: list[int] | None
    class_names: list[str]


def list_files(
    directory: Any,
    labels: Any,
    class_names: Any,
    extensions: tuple[str, ...],
    follow_links: bool,
    what: str,
) -> Listing:
    """The files of a folder, in the order of their names.

    Args:
        directory: holds a folder for each class; with other `labels` than ``"inferred"`` the files
            themselves.
        labels: ``"inferred"`` from the folders, None, or the class number of each file.
        class_names: the folders in the order of their numbers; sorted if not given.
        extensions: which files count, in lower case.
        follow_links: whether to go into linked folders.
        what: the kind of files, for errors.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it has no such files, or labels or names do not fit.
    """
    root = os.fspath(directory)
    if not os.path.isdir(root):
        raise FileNotFoundError(f"There is no folder {root!r}.")
    if labels != "inferred":
        if class_names is not None:
            raise ValueError(
                "class_names belong to labels='inferred', where folders are classes; got "
                f"labels={labels!r}."
            )
        paths = _walk(root, extensions, follow_links)
        names: list[str] = []
        numbers = None
        if labels is not None:
            numbers = [int(label) for label in labels]
            if len(numbers) != len(paths):
                raise ValueError(
                    f"labels has {len(numbers)} entries, and {root!r} {len(paths)} {what} files. "
                    "Give one for each file, in the order of their paths."
                )
            names = [str(number) for number in sorted(set(numbers))]
    else:
        found = sorted(
            entry.name for entry in os.scandir(root) if entry.is_dir() and entry.name[0] != "."
        )
        names = found if class_names is None else list(class_names)
        unknown = sorted(set(names) - set(found))
        if unknown:
            raise ValueError(
                f"class_names has {unknown}, for which {root!r} has no folder. Its folders are: "
                f"{found}."
            )
        paths, numbers = [], []
        for number, name in enumerate(names):
            inside = _walk(os.path.join(root, name), extensions, follow_links)
            paths += inside
            numbers += [number] * len(inside)
    if not paths:
        raise ValueError(
            f"There are no {what} files in {root!r}. Files must end in {', '.join(extensions)}"
            + (", in a folder for each class." if labels == "inferred" else ".")
        )
    return Listing(paths, numbers, names)


def _walk(root: str, extensions: tuple[str, ...], follow_links: bool) -> list[str]:
    found = []
    for folder, _, files in sorted(os.walk(root, followlinks=follow_links)):
        found += [
            os.path.join(folder, name)
            for name in sorted(files)
            if name.lower().endswith(extensions)
        ]
    return found


def check_split(share: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    """Refuse arguments of a split that do not fit together.

    Raises:
        ValueError: with what to change.
    """
    if (share is None) != (subset is None):
        raise ValueError(
            "validation_split and subset go together: give both or neither; got "
            f"validation_split={share} and subset={subset!r}."
        )
    if share is None:
        return
    if not 0 < share < 1:
        raise ValueError(f"validation_split must lie between 0 and 1; got {share}.")
    if subset not in ("training", "validation", "both"):
        raise ValueError(f"subset must be 'training', 'validation' or 'both'; got {subset!r}.")
    if subset != "both" and shuffle and seed is None:
        raise ValueError(
            "A split of shuffled files needs a seed: give the same seed for both subsets, or "
            "files would be in both."
        )


def shuffled(listing: Listing, seed: int | None) -> Listing:
    """The files in the order that Keras gives them for this seed."""
    order = np.arange(len(listing.paths))
    np.random.RandomState(draw_seed() if seed is None else seed).shuffle(order)
    labels = listing.labels
    return Listing(
        [listing.paths[i] for i in order],
        None if labels is None else [labels[i] for i in order],
        listing.class_names,
    )


def part(listing: Listing, share: float | None, subset: str | None) -> Listing:
    """The first files for training, the last `share` of them for validation.

    Raises:
        ValueError: if the part is empty.
    """
    if share is None:
        return listing
    kept = len(listing.paths) - int(share * len(listing.paths))
    chosen = slice(kept) if subset == "training" else slice(kept, None)
    if not listing.paths[chosen]:
        raise ValueError(
            f"validation_split={share} of {len(listing.paths)} files leaves none for {subset}."
        )
    labels = listing.labels
    return Listing(
        listing.paths[chosen], None if labels is None else labels[chosen], listing.class_names
    )


def encode_labels(labels: list[int], mode: str, class_names: list[str]) -> np.ndarray:
    """Class numbers as targets: ``(files,)`` int32, one-hot float32 or ``(files, 1)`` float32."""
    numbers = np.asarray(labels, np.int32)
    if mode == "categorical":
        return np.eye(len(class_names), dtype=np.float32)[numbers]
    if mode == "binary":
        return numbers[:, None].astype(np.float32)
    return numbers


def check_labels(labels: Any, mode: str | None, class_names: list[str]) -> None:
    """Refuse label modes that do not fit.

    Raises:
        ValueError: with what to change.
    """
    if mode not in LABEL_MODES:
        raise ValueError(f"label_mode must be one of {LABEL_MODES}; got {mode!r}.")
    if mode == "binary" and len(class_names) != 2:
        raise ValueError(
            f"label_mode='binary' is for two classes; got {len(class_names)}: {class_names}. Use "
            "'int' or 'categorical'."
        )
    if isinstance(labels, str) and labels != "inferred":
        raise ValueError(f"labels must be 'inferred', None or a list of numbers; got {labels!r}.")
