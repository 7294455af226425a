"""Confusion counts: how many predictions above and below each threshold are right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Stands for "no threshold" where only the place among the top k decides.
NO_THRESHOLD = -1e10


class Thresholds:
    """Thresholds, and the counts of predictions above and below each.

    A prediction is positive where it is above the threshold, not where it equals it.

    Args:
        values: the thresholds.
        even: whether they divide 0 to 1 evenly. Predictions, clipped to 0 to 1, are then counted
            in a histogram whose partial sums are the counts: the cost is that of the data and
            the thresholds added, not multiplied.
    """

    def __init__(self, values: Sequence[float], even: bool | None = None) -> None:
        self.values = [float(value) for value in values]
        self.even = is_even(self.values) if even is None else even

    def __len__(self) -> int:
        return len(self.values)

    def count(self, positive: Any, y_pred: Any, weights: Any) -> dict[str, Any]:
        """Weighted true and false positives and negatives at each threshold.

        Args:
            positive: ``(n, labels)`` bool targets.
            y_pred: ``(n, labels)`` predictions.
            weights: ``(n, labels)``, or None.

        Returns:
            ``{"tp": …, "fp": …, "tn": …, "fn": …}``, each ``(thresholds, labels)``.
        """
        if weights is None:
            weights = jnp.ones_like(y_pred)
        count = self._count_even if self.even else self._count_any
        return count(positive, y_pred, weights)

    def _count_any(self, positive: Any, y_pred: Any, weights: Any) -> dict[str, Any]:
        bounds = jnp.asarray(self.values, y_pred.dtype)
        above = y_pred > bounds[:, None, None]
        yes, no = jnp.where(positive, weights, 0), jnp.where(positive, 0, weights)
        return {
            "tp": jnp.sum(jnp.where(above, yes, 0), axis=1),
            "fp": jnp.sum(jnp.where(above, no, 0), axis=1),
            "tn": jnp.sum(jnp.where(above, 0, no), axis=1),
            "fn": jnp.sum(jnp.where(above, 0, yes), axis=1),
        }

    def _count_even(self, positive: Any, y_pred: Any, weights: Any) -> dict[str, Any]:
        size, labels = len(self), y_pred.shape[1]
        # How many of the thresholds from the second on, or from the first, are below.
        below = jnp.ceil(jnp.clip(y_pred, 0, 1) * (size - 1))
        below = jnp.where(below > 0, below, 0)  # nan, as in a row that does not count, is not
        if self.values[0] < 0:
            below = jnp.maximum(below, 1)
        bins = below.astype(jnp.int32)  # one more than thresholds: 0 is below all of them
        place = (positive.astype(jnp.int32) * labels + jnp.arange(labels)) * (size + 1) + bins
        histogram = jnp.zeros(2 * labels * (size + 1), weights.dtype).at[place].add(weights)
        histogram = histogram.reshape(2, labels, size + 1)
        fp, tp = jax.lax.cumsum(histogram, axis=2, reverse=True)[..., 1:]
        tn, fn = jax.lax.cumsum(histogram, axis=2)[..., :-1]
        return {"tp": tp.T, "fp": fp.T, "tn": tn.T, "fn": fn.T}


def is_even(values: Sequence[float]) -> bool:
    """Whether three or more thresholds divide 0 to 1 into equal parts."""
    size = len(values)
    return size >= 3 and np.allclose(values, np.arange(size) / (size - 1), atol=1e-7)


def even_thresholds(count: int) -> list[float]:
    """`count` thresholds from 0 to 1; the middle for one."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def parse_thresholds(thresholds: Any, default: float = 0.5) -> list[float]:
    """A list of thresholds from None, a number or a sequence.

    Raises:
        ValueError: if there is none, or one is outside 0 to 1.
    """
    if thresholds is None:
        return [default]
    given = thresholds if isinstance(thresholds, (list, tuple, np.ndarray)) else [thresholds]
    numbers = all(isinstance(t, (int, float, np.number)) for t in given)
    if len(given) == 0 or not numbers or not all(0 <= t <= 1 for t in given):
        raise ValueError(
            f"thresholds must be one or more numbers from 0 to 1; got {thresholds!r}. For logits, "
            "use 0 (they are compared as they are), or from_logits=True where there is one."
        )
    return [float(t) for t in given]


def check_fraction(name: str, value: Any) -> float:
    """`value` if it is a number from 0 to 1, else a ValueError that names the argument."""
    if not isinstance(value, (int, float, np.number)) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1; got {value!r}.")
    return float(value)


def check_count(name: str, value: Any, least: int) -> int:
    """`value` if it is a whole number of at least `least`, else a ValueError naming it."""
    if not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}; got {value!r}.")
    return int(value)
