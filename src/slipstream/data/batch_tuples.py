"""Batches as tuples: ``x``, ``(x, y)`` or ``(x, y, sample_weight)``."""

from __future__ import annotations

from typing import Any


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The shortest tuple that holds what there is; `x` alone stands for itself."""
    if y is None:
        return (x,) if isinstance(x, (list, tuple)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of such a tuple, None for what is not there.

    Raises:
        ValueError: if it has more than three entries.
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if len(data) > 3:
        raise ValueError(
            f"A batch is x, (x, y) or (x, y, sample_weight); got a tuple of {len(data)} entries."
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight
