"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017), in the IDX files of the Debian package."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from slipstream.datasets.base import Dataset, Entry, cache_folder

SYSTEM = Path("/usr/share/datasets/fashion-mnist")
_PARTS = ("train", "t10k")  # in this order the test rows come last
_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_MOST_BYTES = 2**28


def read_idx(path: Path) -> np.ndarray:
    """The array of bytes in a gzipped IDX file.

    Layout: two zero bytes, type 8 (bytes), the number of axes, each axis' length as a big-endian
    32-bit number, the values.

    Raises:
        ValueError: if the file does not keep to that, or declares more than 256 MB.
    """
    with gzip.open(path, "rb") as file:
        zeros, kind, axes = struct.unpack(">HBB", _exactly(file, 4, path))
        if zeros != 0 or kind != 8 or not 1 <= axes <= 4:
            raise ValueError(f"{path.name} does not start like an IDX file of bytes")
        shape = struct.unpack(f">{axes}I", _exactly(file, 4 * axes, path))
        size = int(np.prod(shape, dtype=np.float64))
        if size > _MOST_BYTES:
            raise ValueError(f"{path.name} declares {size:,} bytes")
        return np.frombuffer(_exactly(file, size, path), np.uint8).reshape(shape)


def _exactly(file: gzip.GzipFile, size: int, path: Path) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError(f"{path.name} ends {size - len(data):,} bytes too early")
    return data


def _read(entry: Entry, folder: Path) -> Dataset:
    images = [read_idx(folder / f"{part}-images-idx3-ubyte.gz") for part in _PARTS]
    labels = [read_idx(folder / f"{part}-labels-idx1-ubyte.gz") for part in _PARTS]
    for image, label in zip(images, labels):
        if len(image) != len(label):
            raise ValueError(f"it has {len(image):,} images and {len(label):,} labels")
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=np.concatenate(images),
        y=np.concatenate(labels).astype(np.int32),
        classes=_CLASSES,
        features=None,
        source=entry.source,
        licence=entry.licence,
        held_out=len(labels[1]),
    )


ENTRIES = [
    Entry(
        name="fashion_mnist",
        title="70,000 pictures of clothes, 28 × 28 grey",
        source="Fashion-MNIST (Zalando Research)",
        licence="MIT",
        files=tuple(
            f"{part}-{what}-ubyte.gz" for part in _PARTS for what in ("images-idx3", "labels-idx1")
        ),
        places=lambda: [SYSTEM, cache_folder() / "fashion-mnist"],
        command="apt-get install dataset-fashion-mnist",
        read=_read,
    )
]
