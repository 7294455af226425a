"""60,000 small pictures of a hundred kinds of things (Krizhevsky, 2009)."""

from __future__ import annotations

from slipstream.datasets import cifar
from slipstream.datasets.standard import Pair

_HASH = "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7"


def load_data(label_mode: str = "fine") -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: ``(n, 32, 32, 3)`` uint8, ``(n, 1)`` int64.

    Args:
        label_mode: ``"fine"`` for 100 classes, ``"coarse"`` for 20 groups of them.

    Raises:
        ValueError: for another mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f"label_mode must be 'fine' or 'coarse'; got {label_mode!r}.")
    parts = (["train"], ["test"])
    key = f"{label_mode}_labels"
    return cifar.load("cifar-100-python.tar.gz", "cifar-100-python", _HASH, parts, key, "int64")
