"""Layers of several inputs, and layers that only move numbers."""

from __future__ import annotations

from bench.layers.rows.row import Row

_IMAGES, _FEATURES = (32, 32, 32, 32), (32, 128, 256)

ROWS = [
    Row("Add", "2 inputs", _IMAGES, inputs=2),
    Row("Multiply", "2 inputs", _IMAGES, inputs=2),
    Row("Average", "3 inputs", _IMAGES, inputs=3),
    Row("Maximum", "2 inputs", _IMAGES, inputs=2),
    Row("Concatenate", "2 inputs", _IMAGES, inputs=2),
    Row("Dot", "of all pairs of rows", (16, 128, 64), {"axes": 2}, inputs=2),
    Row("GatedFusion", "2 inputs, 256→128", (256, 256), {"units": 128}, inputs=2),
    Row("LowRankFusion", "2 inputs, 256→128, rank 4", (256, 256), {"units": 128}, inputs=2),
    Row("Permute", "rows and columns", _FEATURES, {"dims": (2, 1)}),
    Row("RepeatVector", "64 times", (64, 256), {"n": 64}),
]
