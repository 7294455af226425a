"""Numbers as people read them."""

from __future__ import annotations


def percent(share: float) -> str:
    """``0.614`` as ``61 %``; small shares with two digits."""
    if share < 1e-4:
        return "under 0.01 %" if share > 0 else "0 %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def span(seconds: float) -> str:
    """A time in the unit that suits it: ``12 µs``, ``3.4 ms``, ``5.6 s``, ``7.8 min``."""
    for unit, size in (("min", 60.0), ("s", 1.0), ("ms", 1e-3)):
        if seconds >= (100 if unit == "min" else 1) * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-6 else f"{seconds * 1e6:.3g} µs"


def quantity(value: float) -> str:
    """``1234567`` as ``1.23 M``, ready for a unit behind it."""
    for size, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.0f} "
