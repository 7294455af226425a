"""The least time in which pictures can be read once and written once on this machine."""

from __future__ import annotations

from bisect import bisect_right

from bench.augmentation.rows import ROWS, SHAPE

LIMIT = "limit"
_FLOAT = 4  # bytes


def moved(name: str) -> int:
    """Bytes that a row's layer reads and writes at the least; a mixed picture is made of two."""
    batch, height, width, channels = SHAPE
    row = ROWS[name]
    pixels = row.options.get("height", height) * row.options.get("width", width)  # those of a crop
    return (3 if row.mixes else 2) * batch * pixels * channels * _FLOAT


def least_seconds() -> dict[str, float]:
    """The least time of a call for each row, by the bandwidth that is measured now.

    As for all of our limits, data are given the rate of the largest measured size that they reach,
    which is no less than their own.
    """
    from slipstream.core.cost import LEVELS
    from slipstream.speed import ceilings

    found = ceilings.measure().bandwidth
    amounts = {name: moved(name) for name in ROWS}
    return {
        name: amount / found[max(bisect_right(LEVELS, amount) - 1, 0)]
        for name, amount in amounts.items()
    }
