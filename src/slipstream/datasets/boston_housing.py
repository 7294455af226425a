"""506 districts of Boston with the median price of their houses (Harrison & Rubinfeld, 1978)."""

from __future__ import annotations

from slipstream.datasets.objects import read_npz
from slipstream.datasets.standard import Pair, fetch, parted

_HASH = "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Pair, Pair]:
    """``(x_train, y_train), (x_test, y_test)``: 13 columns, and prices in 1000 dollars.

    One column is derived from the share of black inhabitants; see `california_housing` for a set
    without such.
    """
    data = read_npz(fetch(path, "boston_housing.npz", _HASH))
    return parted(data["x"], data["y"], test_split, seed)
