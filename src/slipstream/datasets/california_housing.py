"""20,640 districts of California with the median price of their houses (Pace & Barry, 1997)."""

from __future__ import annotations

from slipstream.datasets.objects import read_npz
from slipstream.datasets.standard import Pair, fetch, parted

_HASH = "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
_SMALL = 600


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: 8 columns, and prices in dollars.

    Args:
        version: ``"large"``, or ``"small"`` for 600 districts near San Francisco.
        path: name in the cache.
        test_split: share of the rows for testing.
        seed: decides the order.

    Raises:
        ValueError: for another version.
    """
    if version not in ("large", "small"):
        raise ValueError(f"version must be 'large' or 'small'; got {version!r}.")
    data = read_npz(fetch(path, "california_housing.npz", _HASH))
    rows = _SMALL if version == "small" else None
    return parted(data["x"][:rows], data["y"][:rows], test_split, seed)
