"""Examples by number: the files of a folder, and map-style datasets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from slipstream.data.dataset import stack
from slipstream.data.folders import images, sounds
from slipstream.data.folders.folder import list_files
from slipstream.data.folders.resample import resize

TEXTS = (".txt",)
SOUNDS = (".wav", ".flac")


class FolderExamples:
    """What the files of a folder hold, with a class number for each where folders are classes.

    Args:
        directory: the folder.
        extensions: which files count.
        read: what a file holds, from its path.
        join: examples as a batch.
        what: the kind of files, for errors.
    """

    files = True

    def __init__(
        self,
        directory: str,
        extensions: tuple[str, ...],
        read: Callable[[str], Any],
        join: Callable[[list[Any]], Any],
        what: str,
    ) -> None:
        flat = list_files(directory, None, None, extensions, False, what)
        listing = list_files(directory, "inferred", None, extensions, False, what) if any(
            _depth(path, directory) for path in flat.paths
        ) else flat  # fmt: skip
        if len(listing.paths) < len(flat.paths):
            raise ValueError(
                f"{directory!r} has {what} files both in itself and in folders. Move those that "
                "have no class into a folder, or all into one."
            )
        self.paths, self.labels = listing.paths, listing.labels
        self.class_names = listing.class_names
        self._read, self._join = read, join

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> Any:
        content = self._read(self.paths[number])
        return content if self.labels is None else (content, np.int32(self.labels[number]))

    def name(self, number: int) -> str:
        """The path."""
        return self.paths[number]

    def join(self, examples: list[Any]) -> Any:
        """Examples as a batch."""
        return self._join(examples)


def _depth(path: str, directory: str) -> int:
    inside = path[len(directory) :].strip("/\\")
    return inside.count("/") + inside.count("\\")


def pictures(directory: str, image_size: Any, color_mode: str) -> FolderExamples:
    """Picture files: float32 ``(height, width, channels)`` from 0 to 255."""
    images._pillow()
    images._color_mode(color_mode)
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    size = (int(image_size[0]), int(image_size[1]))
    read = partial(_picture, size=size, color_mode=color_mode)
    return FolderExamples(directory, images.EXTENSIONS, read, stack, "picture")


def _picture(path: str, size: tuple[int, int], color_mode: str) -> np.ndarray:
    picture = images.load_img(path, color_mode)
    return resize(images.img_to_array(picture, "channels_last", np.float32), size, "bilinear")


def texts(directory: str) -> FolderExamples:
    """Text files as strings."""
    return FolderExamples(directory, TEXTS, _text, stack, "text")


def _text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def recordings(directory: str, rate: int | None, length: int | None) -> FolderExamples:
    """Sound files: float32 ``(samples, channels)`` in [-1, 1]."""
    read = partial(_sound, rate=rate, length=length)
    return FolderExamples(directory, SOUNDS, read, sounds._join, "sound")


def _sound(path: str, rate: int | None, length: int | None) -> np.ndarray:
    signal, own = read_flac(path) if path.lower().endswith(".flac") else sounds.read_wav(path)
    if rate is not None:
        signal = sounds.resampled(signal, own, rate)
    return signal if length is None else sounds.fitted(signal, length)


def read_flac(path: str) -> tuple[np.ndarray, int]:
    """A FLAC file: ``(samples, channels)`` float32 in [-1, 1], and its rate in Hz.

    Raises:
        ImportError: without soundfile.
    """
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "Reading FLAC files needs soundfile. Install it with: pip install 'slipstream[audio]'"
        ) from error
    return soundfile.read(path, dtype="float32", always_2d=True)


class MapExamples:
    """The examples of a PyTorch map-style `Dataset`: tensors, arrays, numbers or structures."""

    files = False

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, number: int) -> Any:
        example = self.dataset[number]
        return tuple(example) if isinstance(example, list) and len(example) in (2, 3) else example

    def name(self, number: int) -> str:
        """The example's number."""
        return f"example {number} of {type(self.dataset).__name__}"

    def join(self, examples: list[Any]) -> Any:
        """Examples as a batch."""
        return stack(examples)


def is_map_style(value: Any) -> bool:
    """Whether it is a `torch.utils.data.Dataset` that gives examples by number."""
    bases = [f"{kind.__module__}.{kind.__name__}" for kind in type(value).__mro__]
    return "torch.utils.data.dataset.Dataset" in bases and (
        "torch.utils.data.dataset.IterableDataset" not in bases
    )
