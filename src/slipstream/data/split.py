"""Holding out the last part of the data."""

from __future__ import annotations

from typing import Any

import jax

from slipstream.data.arrays import length
from slipstream.data.sources import Batch, is_batches


def split_off(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[Batch, Batch]:
    """The first rows for training, the last `share` of them for validation, as Keras splits.

    Raises:
        ValueError: if the share is not between 0 and 1, the data come in batches, or one part
            would be empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"validation_split must lie between 0 and 1; got {share}.")
    if is_batches(x):
        raise ValueError(
            "validation_split needs data in arrays; batches cannot be split. Pass "
            "validation_data=… instead."
        )
    rows = length(x, "x")
    kept = int(rows * (1.0 - share))
    if not 0 < kept < rows:
        raise ValueError(
            f"validation_split={share} of {rows} rows leaves {kept} for training and "
            f"{rows - kept} for validation; both need at least one."
        )
    data = (x, y, sample_weight)
    return (
        jax.tree.map(lambda leaf: leaf[:kept], data),
        jax.tree.map(lambda leaf: leaf[kept:], data),
    )
