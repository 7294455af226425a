"""Slipstream's layers, and a cell of a user's own."""

from __future__ import annotations

from bench.layers.cells import MinimalGate
from slipstream import ops
from slipstream.layers import *  # noqa: F403
from slipstream.layers import Layer


class MinimalCell(MinimalGate, Layer):
    """The cell in Slipstream."""

    ops = ops
