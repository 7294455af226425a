"""Batches as tuples of inputs, targets and weights."""

from __future__ import annotations

from typing import Any

from slipstream.data.sources import unpack


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``x``, ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)`` as a triple, None where missing.

    Raises:
        ValueError: if there are more than three parts.
    """
    return unpack(tuple(data) if isinstance(data, list) else data)


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The shortest tuple that says the same; a single array stays by itself."""
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
