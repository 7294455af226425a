"""60,000 small pictures of ten kinds of things (Krizhevsky, 2009)."""

from __future__ import annotations

from slipstream.datasets import cifar
from slipstream.datasets.standard import Pair

_HASH = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"


def load_data() -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: ``(n, 32, 32, 3)`` and ``(n, 1)``, uint8.

    The 50,000 and 10,000 pictures are downloaded once.
    """
    train = [f"data_batch_{number}" for number in range(1, 6)]
    parts = (train, ["test_batch"])
    return cifar.load(
        "cifar-10-python.tar.gz", "cifar-10-batches-py", _HASH, parts, "labels", "uint8"
    )
