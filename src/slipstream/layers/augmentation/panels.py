"""Panels of a picture that show sequences: curves, grey spectrograms, coloured tokens."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.layers.augmentation.picture import as_bytes

_HEIGHT, _WIDTH = 64, 160
_CELL_HEIGHT, _CELL_WIDTH = 14, 9
_INKS = np.array([(31, 90, 160), (200, 60, 40), (40, 140, 70), (130, 80, 170)], "uint8")
_GROUND = 245  # of curves


def sequences(columns: Sequence[Any], rows: int) -> list[list[np.ndarray]]:
    """Panels of arrays ``(batch, time, …)``: whole numbers as cells, others as curves.

    The curves of one row have one scale, and lengths are true to one another.
    """
    found = [np.asarray(data)[:rows] for data in columns]
    if found[0].dtype.kind in "biu":
        return [[_cells(row.reshape(len(row), -1)[:, 0]) for row in data] for data in found]
    signals = [
        data.astype("float32").reshape(*data.shape[:2], math.prod(data.shape[2:])) for data in found
    ]
    longest = max(signal.shape[1] for signal in signals)
    panels: list[list[np.ndarray]] = [[] for _ in signals]
    for each in zip(*signals):
        known = np.concatenate([row[np.isfinite(row)] for row in each])
        low, high = known.min(initial=0), known.max(initial=0)
        for column, row in zip(panels, each):
            width = max(1, round(_WIDTH * len(row) / max(longest, 1)))
            column.append(_curves((row - low) / max(high - low, 1e-12), width))
    return panels


def spectrograms(columns: Sequence[Any], rows: int) -> list[list[np.ndarray]]:
    """Panels of arrays ``(batch, frequencies, time, …)``, grey, low frequencies at the bottom."""
    found = [np.asarray(data)[:rows].astype("float32") for data in columns]
    found = [data if data.ndim == 3 else data[..., 0] for data in found]
    times = max(1, round(_HEIGHT / max(found[0].shape[1], 1)))  # to enlarge small ones by
    panels: list[list[np.ndarray]] = [[] for _ in found]
    for each in zip(*found):
        known = each[0][np.isfinite(each[0])]
        low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
        for column, values in zip(panels, each):
            grey = as_bytes((values[::-1] - low) / max(high - low, 1e-12))
            grey = grey.repeat(times, 0).repeat(times, 1)
            column.append(np.repeat(grey[..., None], 3, -1))
    return panels


def _curves(shares: np.ndarray, width: int) -> np.ndarray:
    """Curves of ``(time, channels)`` numbers from 0 to 1, each column of pixels from the least to
    the greatest value that falls on it."""
    panel = np.full((_HEIGHT, width, 3), _GROUND, "uint8")
    length = len(shares)
    fine = np.linspace(0, max(length - 1, 0), max(length, 4 * width))
    ends = np.linspace(0, len(fine), width + 1).astype(int)
    heights = np.arange(_HEIGHT)[:, None]
    for channel in range(shares.shape[1] if length else 0):
        values = np.interp(fine, np.arange(length), np.nan_to_num(shares[:, channel]))
        places = (1 - np.clip(values, 0, 1)) * (_HEIGHT - 1)
        # A column ends where the next one begins, so that curves have no gaps.
        spans = [places[a : b + 1] for a, b in zip(ends[:-1], ends[1:])]
        top = np.floor([span.min() for span in spans])
        bottom = np.ceil([span.max() for span in spans])
        panel[(heights >= top) & (heights <= bottom)] = _INKS[channel % len(_INKS)]
    return panel


def _cells(tokens: np.ndarray) -> np.ndarray:
    """A coloured cell for each token; equal tokens have equal colours, and 0 is white."""
    colours = [
        (255, 255, 255)
        if token == 0
        else [round(255 * part) for part in colorsys.hsv_to_rgb(0.618034 * token % 1, 0.5, 0.9)]
        for token in tokens.tolist()
    ]
    row = np.array(colours, "uint8").reshape(1, len(tokens), 3)
    panel = row.repeat(_CELL_HEIGHT, 0).repeat(_CELL_WIDTH, 1)
    panel[:, ::_CELL_WIDTH] = 255  # a thin line between cells
    return panel
