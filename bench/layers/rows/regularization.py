"""Layers that draw."""

from __future__ import annotations

from bench.layers.rows.row import Row

ROWS = [
    Row("Dropout", "0.5, training", (256, 2048), {"rate": 0.5}),
    Row("SpatialDropout2D", "0.5, training", (32, 32, 32, 64), {"rate": 0.5}),
    Row("AlphaDropout", "0.5, training", (256, 2048), {"rate": 0.5}),
    Row("GaussianNoise", "0.1, training", (256, 2048), {"stddev": 0.1}),
]
