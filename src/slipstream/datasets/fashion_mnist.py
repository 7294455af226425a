"""70,000 pictures of clothes, 28 × 28 grey (Xiao, Rasul and Vollgraf, 2017)."""

from __future__ import annotations

from pathlib import Path

from slipstream.datasets.fashion import ENTRIES, read_idx
from slipstream.datasets.standard import Pair, fetch


def load_data() -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: ``(n, 28, 28)`` and ``(n,)``, uint8.

    The 60,000 and 10,000 pictures are downloaded once, unless the Debian package
    ``dataset-fashion-mnist`` is installed.
    """
    folder = ENTRIES[0].find()

    def read(file: str) -> Path:
        if folder is not None:
            return folder / file
        return Path(fetch(file, file, None, cache_subdir="datasets/fashion-mnist"))

    def pair(part: str) -> Pair:
        pictures, labels = (f"{part}-{what}-ubyte.gz" for what in ("images-idx3", "labels-idx1"))
        return read_idx(read(pictures)), read_idx(read(labels))

    return pair("train"), pair("t10k")
