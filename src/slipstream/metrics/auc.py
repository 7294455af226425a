"""Area under the ROC, precision-recall and precision-recall-gain curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core import config
from slipstream.core.names import nearest
from slipstream.core.registry import register
from slipstream.metrics.confusion import ConfusionMetric
from slipstream.metrics.counting import Thresholds, check_count, is_even, parse_thresholds
from slipstream.metrics.weighting import ratio

_PR = ("tp", "fp", "fn")
_CURVES = ("ROC", "PR", "PRGAIN")
_SUMMATIONS = ("interpolation", "minoring", "majoring")


@register("metric")
class AUC(ConfusionMetric):
    """Area under a curve that is drawn through the counts at many thresholds.

    Args:
        num_thresholds: how many thresholds, at least 2; they divide 0 to 1 evenly.
        curve: ``"ROC"`` (true over false positive rate), ``"PR"`` (precision over recall) or
            ``"PRGAIN"`` (precision gain over recall gain; Flach and Kull 2015).
        summation_method: ``"interpolation"`` (trapezoids; for PR the exact area under counts that
            change linearly, Davis and Goadrich 2006), ``"minoring"`` or ``"majoring"`` (the
            smaller or larger height of each piece).
        name: automatic if not given.
        dtype: type that the configuration names; counts are kept in `floatx()`.
        thresholds: inner thresholds from 0 to 1 in place of `num_thresholds`; the ends are added.
        multi_label: whether each column of ``(batch, labels)`` has a curve of its own, whose
            areas are averaged. If not, all predictions share one curve.
        num_labels: number of columns if it is to be known before the first batch.
        label_weights: weight of each column, in the average or in the counts.
        from_logits: whether predictions still go through a sigmoid.

    Raises:
        ValueError: if an argument is outside the values above.
    """

    direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        self.curve = _one_of("curve", curve, _CURVES)
        self.summation_method = _one_of("summation_method", summation_method, _SUMMATIONS)
        if num_labels and not multi_label:
            raise ValueError(
                f"num_labels={num_labels} needs multi_label=True: without it all labels share one "
                "curve. Leave num_labels out, or set multi_label=True."
            )
        self._given_thresholds = thresholds is not None
        if thresholds is not None:
            inner = sorted(parse_thresholds(thresholds)) if len(thresholds) else []
            even = is_even([0.0, *inner, 1.0])
        else:
            count = check_count("num_thresholds", num_thresholds, least=2)
            inner, even = [i / (count - 1) for i in range(1, count - 1)], True
        self.num_thresholds = len(inner) + 2
        # The ends lie just outside, so that every prediction is above the first only.
        ends = (-config.epsilon(), 1 + config.epsilon())
        super().__init__(
            Thresholds([ends[0], *inner, ends[1]], even), ("tp", "fp", "tn", "fn"), dtype, name
        )
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = (
            None if label_weights is None else np.asarray(label_weights, np.float32).tolist()
        )
        self.from_logits = from_logits
        if not multi_label:
            self._add_cells()
        elif num_labels:
            self._add_cells(num_labels)
        else:
            self.built = False

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Create the counts of each label for predictions ``(batch, labels)``.

        Raises:
            ValueError: for any other rank.
        """
        self._check_shape(y_pred_shape)
        self._add_cells(y_pred_shape[1])
        self.built = True

    def _check_shape(self, shape: Sequence[int]) -> None:
        if not self.multi_label:
            return
        wanted = self.num_labels or (len(self.label_weights) if self.label_weights else None)
        if len(shape) != 2 or wanted not in (None, shape[1]):
            raise ValueError(
                f"Metric {self.name!r} (AUC) with multi_label=True needs y_pred (batch, "
                f"{wanted or 'labels'}); got shape {tuple(shape)}. Check num_labels and "
                "label_weights, or use multi_label=False."
            )

    def result(self) -> Any:
        """The area, or the mean of the labels' areas; 0 before any update."""
        if not self.built:
            return jnp.zeros((), config.floatx())
        tp, fp, tn, fn = (self._variable(cell).value for cell in ("tp", "fp", "tn", "fn"))
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self.interpolate_pr_auc()
        x, y = _curve(self.curve, tp, fp, tn, fn)
        left, right = y[:-1], y[1:]
        height = {
            "interpolation": lambda: (left + right) / 2,
            "minoring": lambda: jnp.minimum(left, right),
            "majoring": lambda: jnp.maximum(left, right),
        }[self.summation_method]()
        return self._mean((x[:-1] - x[1:]) * height)

    def interpolate_pr_auc(self) -> Any:
        """The area under precision over recall, true positives interpolated (Davis, 2006)."""
        return self._mean(_interpolated_precision(*(self._variable(c).value for c in _PR)))

    def _mean(self, areas: Any) -> Any:
        """The area from those between thresholds; with several labels, their mean."""
        area = jnp.sum(areas, axis=0)
        if not self.multi_label:
            return area
        if self.label_weights is None:
            return jnp.mean(area)
        each = jnp.asarray(self.label_weights, area.dtype)
        return ratio(jnp.sum(area * each), jnp.sum(each))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        chosen = {"thresholds": self.thresholds[1:-1]} if self._given_thresholds else {}
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
            **chosen,
        }


def _curve(name: str, tp: Any, fp: Any, tn: Any, fn: Any) -> tuple[Any, Any]:
    """Abscissas, falling with the threshold, and ordinates of the curve."""
    if name == "ROC":
        return ratio(fp, fp + tn), ratio(tp, tp + fn)
    if name == "PR":
        return ratio(tp, tp + fn), ratio(tp, tp + fp)
    odds = ratio(tp + fn, fp + tn)
    found = tp > 0
    # Without true positives both gains are unbounded: such points are put at (0, 1).
    recall_gain = jnp.where(found, 1 - odds * ratio(fn, tp), 0)
    precision_gain = jnp.where(found, 1 - odds * ratio(fp, tp), 1)
    return jnp.maximum(recall_gain, 0), precision_gain


def _interpolated_precision(tp: Any, fp: Any, fn: Any) -> Any:
    """Area under precision over recall between neighbouring thresholds.

    Between two thresholds tp is taken as linear in the number p of positive predictions,
    ``tp = slope * p + offset``, so the integral of ``tp / p`` over tp, by p, is
    ``slope * (difference of tp + offset * log(ratio of p))``.
    """
    p = tp + fp
    more, less = p[:-1], p[1:]
    gained = tp[:-1] - tp[1:]
    slope = ratio(gained, jnp.maximum(more - less, 0))
    offset = tp[1:] - slope * less
    both = (more > 0) & (less > 0)
    growth = jnp.log(jnp.where(both, more, 1) / jnp.where(both, less, 1))
    return ratio(slope * (gained + offset * growth), jnp.maximum(tp[1:] + fn[1:], 0))


def _one_of(argument: str, value: Any, options: tuple[str, ...]) -> str:
    for option in options:
        if isinstance(value, str) and value.lower() == option.lower():
            return option
    raise ValueError(f"{argument} is {value!r}. {nearest(str(value), options)}")
