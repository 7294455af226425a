"""Class numbers as one-hot rows, and vectors of norm 1."""

from __future__ import annotations

from typing import Any

import numpy as np


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers ``(…)`` or ``(…, 1)`` as one-hot rows ``(…, classes)`` float32.

    Raises:
        ValueError: if a number is negative or not below `num_classes`.
    """
    labels = np.asarray(x, np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    highest = int(labels.max(initial=-1))
    count = highest + 1 if num_classes is None else num_classes
    if labels.size and (labels.min() < 0 or highest >= count):
        raise ValueError(
            f"to_categorical: labels must run from 0 to {count - 1}; got {labels.min()} to "
            f"{highest}."
        )
    return np.eye(count, dtype=np.float32)[labels]


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Scale vectors along `axis` to norm 1; zero vectors stay."""
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return array / np.expand_dims(norm, axis)
