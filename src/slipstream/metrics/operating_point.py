"""The best of one rate while another is held: sensitivity at a given specificity and so on.

Sensitivity and recall are ``tp / (tp + fn)``, specificity is ``tn / (tn + fp)`` and precision
``tp / (tp + fp)``.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.metrics.confusion import ConfusionMetric
from slipstream.metrics.counting import Thresholds, check_count, check_fraction, even_thresholds
from slipstream.metrics.weighting import ratio

# A rate is one cell's share of itself and another.
_RATES = {
    "sensitivity": ("tp", "fn"),
    "specificity": ("tn", "fp"),
    "precision": ("tp", "fp"),
    "recall": ("tp", "fn"),
}


class _OperatingPoint(ConfusionMetric):
    direction = "up"
    held: str  # the rate that must reach the given value
    sought: str

    def __init__(
        self, value: float, num_thresholds: int, class_id: int | None, name: Any, dtype: Any
    ) -> None:
        self.value = check_fraction(self.held, value)
        self.num_thresholds = check_count("num_thresholds", num_thresholds, least=1)
        thresholds = Thresholds(even_thresholds(num_thresholds), even=num_thresholds > 1)
        super().__init__(thresholds, ("tp", "fp", "tn", "fn"), dtype, name)
        self.class_id = class_id
        self._add_cells()

    def _rate(self, name: str) -> Any:
        part, rest = (self._variable(cell).value for cell in _RATES[name])
        return ratio(part, part + rest)

    def result(self) -> Any:
        """The largest sought rate over the thresholds that hold the other; 0 if none does."""
        feasible = self._rate(self.held) >= self.value
        return jnp.max(jnp.where(feasible, self._rate(self.sought), 0))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
            self.held: self.value,
        }


@register("metric")
class SensitivityAtSpecificity(_OperatingPoint):
    """Best sensitivity over all thresholds where specificity is at least a given value.

    Args:
        specificity: the value to hold, from 0 to 1.
        num_thresholds: how many thresholds from 0 to 1 are tried.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if `specificity` is outside 0 to 1 or `num_thresholds` below 1.
    """

    held, sought = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = self.value


@register("metric")
class SpecificityAtSensitivity(_OperatingPoint):
    """Best specificity over all thresholds where sensitivity is at least a given value.

    Args:
        sensitivity: the value to hold, from 0 to 1.
        num_thresholds: how many thresholds from 0 to 1 are tried.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if `sensitivity` is outside 0 to 1 or `num_thresholds` below 1.
    """

    held, sought = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = self.value


@register("metric")
class PrecisionAtRecall(_OperatingPoint):
    """Best precision over all thresholds where recall is at least a given value.

    Args:
        recall: the value to hold, from 0 to 1.
        num_thresholds: how many thresholds from 0 to 1 are tried.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if `recall` is outside 0 to 1 or `num_thresholds` below 1.
    """

    held, sought = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = self.value


@register("metric")
class RecallAtPrecision(_OperatingPoint):
    """Best recall over all thresholds where precision is at least a given value.

    Args:
        precision: the value to hold, from 0 to 1.
        num_thresholds: how many thresholds from 0 to 1 are tried.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if `precision` is outside 0 to 1 or `num_thresholds` below 1.
    """

    held, sought = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = self.value
