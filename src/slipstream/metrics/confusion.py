"""Counts of the confusion matrix, precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.losses.arrays import match_ranks
from slipstream.metrics.base import Metric
from slipstream.metrics.counting import NO_THRESHOLD, Thresholds, parse_thresholds
from slipstream.metrics.weighting import check_same_shape, element_weights, ratio

_NAMES = {
    "tp": "true_positives",
    "fp": "false_positives",
    "tn": "true_negatives",
    "fn": "false_negatives",
}


class ConfusionMetric(Metric):
    """Streams cells of the confusion matrix at one or more thresholds.

    Args:
        thresholds: where predictions are cut.
        cells: which cells are kept, of ``"tp"``, ``"fp"``, ``"tn"`` and ``"fn"``.
        dtype: type that the configuration names; counts are kept in `floatx()`.
        name: automatic if not given.

    Attributes:
        top_k: only the `top_k` largest predictions of a row may be positive.
        class_id: only this class of the last axis counts.
        multi_label: whether each column is counted by itself.
        label_weights: weight of each column where they are counted together.
        from_logits: whether predictions still go through a sigmoid.
    """

    per_example = True
    top_k: int | None = None
    class_id: int | None = None
    multi_label = False
    label_weights: Any = None
    from_logits = False

    def __init__(
        self, thresholds: Thresholds, cells: tuple[str, ...], dtype: Any, name: str | None
    ) -> None:
        super().__init__(dtype, name)
        self._thresholds = thresholds
        self._cells = cells

    def _add_cells(self, *labels: int) -> None:
        for cell in self._cells:
            name = _NAMES[cell]
            setattr(self, name, self.add_variable((len(self._thresholds), *labels), name=name))

    def _variable(self, cell: str) -> Variable:
        return getattr(self, _NAMES[cell])

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, in the order of the results."""
        return list(self._thresholds.values)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch.

        Args:
            y_true: ``(batch, …)`` targets; any but 0 stands for true.
            y_pred: predictions of the same shape.
            sample_weight: a scalar, ``(batch,)`` or up to the full shape.

        Raises:
            ValueError: if the shapes do not fit, or `top_k` or `class_id` exceeds the classes.
        """
        y_true, y_pred = match_ranks(jnp.asarray(y_true), jnp.asarray(y_pred, config.floatx()))
        check_same_shape(self, y_true, y_pred)
        self._check_shape(y_pred.shape)
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        weights = None
        if sample_weight is not None:
            weights = element_weights(self, sample_weight, y_pred)
        if self.from_logits:
            y_pred = jax.nn.sigmoid(y_pred)
        if self.top_k is not None:
            y_pred = self._only_top_k(y_pred, weights)
        if self.class_id is not None:
            y_true, y_pred, weights = self._only_class(y_true, y_pred, weights)
        if not self.multi_label and self.label_weights is not None:
            each = self._label_weights(y_pred)
            weights = each if weights is None else weights * each
        shape = y_pred.shape if self.multi_label else (-1, 1)
        counts = self._thresholds.count(
            y_true.astype(bool).reshape(shape),
            y_pred.reshape(shape),
            None if weights is None else weights.reshape(shape),
        )
        for cell in self._cells:
            variable = self._variable(cell)
            variable.assign_add(counts[cell].reshape(variable.shape))

    def _check_shape(self, shape: Sequence[int]) -> None:
        """Raise a ValueError if predictions of this shape cannot be counted."""

    def _label_weights(self, y_pred: Any) -> Any:
        each = jnp.asarray(self.label_weights, y_pred.dtype)
        if each.shape != y_pred.shape[-1:]:
            raise ValueError(
                f"Metric {self.name!r} ({type(self).__name__}) has label_weights of shape "
                f"{each.shape} for y_pred {y_pred.shape}. Give one weight for each label."
            )
        return jnp.broadcast_to(each, y_pred.shape)

    def _only_top_k(self, y_pred: Any, weights: Any) -> Any:
        """Predictions with all but the `top_k` largest on the last axis taken out."""
        classes = y_pred.shape[-1]
        assert self.top_k is not None
        if self.top_k > classes:
            raise ValueError(
                f"Metric {self.name!r} ({type(self).__name__}) has top_k={self.top_k}, but y_pred "
                f"{y_pred.shape} has {classes} classes. Use a smaller top_k."
            )
        if y_pred.ndim == 1 and weights is not None:  # the rows compete with each other
            y_pred = jnp.where(weights != 0, y_pred, -jnp.inf)
        _, best = jax.lax.top_k(y_pred, self.top_k)
        chosen = jnp.any(best[..., None] == jnp.arange(classes), axis=-2)
        return jnp.where(chosen, y_pred, -jnp.inf)

    def _only_class(self, y_true: Any, y_pred: Any, weights: Any) -> tuple[Any, Any, Any]:
        class_id, shape = self.class_id, y_pred.shape
        assert class_id is not None
        if len(shape) < 2 or not 0 <= class_id < shape[-1]:
            raise ValueError(
                f"Metric {self.name!r} ({type(self).__name__}) has class_id={class_id}, but y_pred "
                f"has shape {shape}. It needs (batch, …, classes) with classes above class_id."
            )
        chosen = weights if weights is None else weights[..., class_id]
        return y_true[..., class_id], y_pred[..., class_id], chosen


class _Count(ConfusionMetric):
    cell: str

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(Thresholds(parse_thresholds(thresholds)), (self.cell,), dtype, name)
        self.init_thresholds = thresholds
        self.accumulator = self.add_variable((len(self._thresholds),), name="accumulator")

    def _variable(self, cell: str) -> Variable:
        return self.accumulator

    def result(self) -> Any:
        """The count at the threshold, or ``(thresholds,)`` counts."""
        return _single(self.accumulator.value)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {**super().get_config(), "thresholds": self.init_thresholds}


@register("metric")
class TruePositives(_Count):
    """Total weight of the true targets predicted above the threshold.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if not given.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    cell = "tp"


@register("metric")
class TrueNegatives(_Count):
    """Total weight of the false targets predicted at or below the threshold.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if not given.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    cell = "tn"


@register("metric")
class FalsePositives(_Count):
    """Total weight of the false targets predicted above the threshold.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if not given.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    cell = "fp"


@register("metric")
class FalseNegatives(_Count):
    """Total weight of the true targets predicted at or below the threshold.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if not given.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    cell = "fn"


class _Rate(ConfusionMetric):
    direction = "up"
    other: str  # the cell that true positives share the denominator with

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        values = parse_thresholds(thresholds, 0.5 if top_k is None else NO_THRESHOLD)
        super().__init__(Thresholds(values), ("tp", self.other), dtype, name)
        self.init_thresholds = thresholds
        self.top_k = top_k
        self.class_id = class_id
        self._add_cells()

    def result(self) -> Any:
        """The rate at the threshold, or ``(thresholds,)`` rates; 0 before any update."""
        true_positives = self._variable("tp").value
        return _single(ratio(true_positives, true_positives + self._variable(self.other).value))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


@register("metric")
class Precision(_Rate):
    """Share of the positive predictions that are right, ``tp / (tp + fp)``.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if neither they nor `top_k` are given.
        top_k: only the `top_k` largest predictions of a row may be positive.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    other = "fp"


@register("metric")
class Recall(_Rate):
    """Share of the true targets that are found, ``tp / (tp + fn)``.

    Args:
        thresholds: number or numbers from 0 to 1; 0.5 if neither they nor `top_k` are given.
        top_k: only the `top_k` largest predictions of a row may be positive.
        class_id: only this class of the last axis counts.
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.

    Raises:
        ValueError: if a threshold is outside 0 to 1.
    """

    other = "fn"


def _single(values: Any) -> Any:
    values = jnp.asarray(values)
    return values[0] if len(values) == 1 else values
