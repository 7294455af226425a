"""What is timed, the same for every system: a table for each room of layers."""

from __future__ import annotations

from bench.layers.rows import (
    attention,
    dense,
    images,
    merging,
    preprocessing,
    recurrent,
    regularization,
)
from bench.layers.rows.row import Row

__all__ = ["FAMILIES", "ROWS", "Row"]

_ROOMS = [dense, images, recurrent, attention, merging, regularization, preprocessing]
ROWS: list[Row] = [row for room in _ROOMS for row in room.ROWS]
FAMILIES = list(dict.fromkeys(row.family for row in ROWS))
