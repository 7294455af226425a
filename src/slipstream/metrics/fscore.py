"""F-scores: precision and recall in one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.metrics.base import Metric
from slipstream.metrics.weighting import check_same_shape, element_weights, weigh

_AVERAGES = (None, "micro", "macro", "weighted")


@register("metric")
class FBetaScore(Metric):
    """Weighted harmonic mean of precision and recall of each class,
    ``(1 + beta²) precision recall / (beta² precision + recall)``.

    Args:
        average: None for one score a class, ``"micro"`` (all counts together), ``"macro"`` (mean
            over classes) or ``"weighted"`` (mean over classes by their number of true targets).
        beta: how many times recall matters as much as precision, a float above 0.
        threshold: predictions above it are positive, a float above 0 and at most 1; if None, the
            largest of each row is.
        name: name of the metric.
        dtype: type of counts and result.

    Raises:
        ValueError: if an argument is outside the values above.
    """

    per_example = True
    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in _AVERAGES:
            raise ValueError(
                f"average must be None, 'micro', 'macro' or 'weighted'; got {average!r}."
            )
        if not isinstance(beta, float) or beta <= 0:
            raise ValueError(f"beta must be a float above 0; got {beta!r}.")
        if threshold is not None and not (isinstance(threshold, float) and 0 < threshold <= 1):
            raise ValueError(
                f"threshold must be None or a float above 0 and at most 1; got {threshold!r}."
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self.built = False

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Create the counts of each class for ``(batch, classes)`` targets and predictions.

        Raises:
            ValueError: for any other rank.
        """
        if len(y_true_shape) != 2 or len(y_pred_shape) != 2:
            raise ValueError(
                f"Metric {self.name!r} ({type(self).__name__}) needs y_true and y_pred of shape "
                f"(batch, classes); got {tuple(y_true_shape)} and {tuple(y_pred_shape)}. Reshape "
                "them, or turn class numbers into one-hot rows."
            )
        shape = () if self.average == "micro" else (y_pred_shape[-1],)
        self.true_positives = self._add_count(shape, "true_positives")
        self.false_positives = self._add_count(shape, "false_positives")
        self.false_negatives = self._add_count(shape, "false_negatives")
        self.intermediate_weights = self._add_count(shape, "intermediate_weights")
        self.built = True

    def _add_count(self, shape: tuple[int, ...], name: str) -> Any:
        return self.add_variable(shape, dtype=self.dtype, name=name)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch.

        Args:
            y_true: ``(batch, classes)`` targets of 0 and 1.
            y_pred: ``(batch, classes)`` scores; with a threshold, from 0 to 1.
            sample_weight: a scalar, ``(batch,)`` or up to the full shape.

        Raises:
            ValueError: if the shapes do not fit.
        """
        y_true, y_pred = jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        check_same_shape(self, y_true, y_pred)
        if sample_weight is not None:
            sample_weight = element_weights(self, sample_weight, y_pred)
        if self.threshold is None:
            best = y_pred >= jnp.max(y_pred, axis=-1, keepdims=True)
            positive = best & (jnp.abs(y_pred) > 1e-9)  # a row of zeros predicts nothing
        else:
            positive = y_pred > self.threshold
        axis = None if self.average == "micro" else 0
        for variable, values in (
            (self.true_positives, jnp.where(positive, y_true, 0)),
            (self.false_positives, jnp.where(positive, 1 - y_true, 0)),
            (self.false_negatives, jnp.where(positive, 0, y_true)),
            (self.intermediate_weights, y_true),
        ):
            variable.assign_add(jnp.sum(weigh(values, sample_weight), axis=axis))

    def result(self) -> Any:
        """The score, or ``(classes,)`` scores; 0 before any update."""
        if not self.built:
            return jnp.zeros((), self.dtype)
        epsilon = config.epsilon()
        found = self.true_positives.value
        precision = found / (found + self.false_positives.value + epsilon)
        recall = found / (found + self.false_negatives.value + epsilon)
        square = self.beta**2
        score = (1 + square) * (precision * recall / (square * precision + recall + epsilon))
        if self.average is None:
            return score
        if self.average == "weighted":
            support = self.intermediate_weights.value
            return jnp.sum(score * (support / (jnp.sum(support) + epsilon)))
        return jnp.mean(score)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {
            **super().get_config(),
            "average": self.average,
            "beta": self.beta,
            "threshold": self.threshold,
        }


@register("metric")
class F1Score(FBetaScore):
    """Harmonic mean of precision and recall of each class.

    Args:
        average: None for one score a class, ``"micro"`` (all counts together), ``"macro"`` (mean
            over classes) or ``"weighted"`` (mean over classes by their number of true targets).
        threshold: predictions above it are positive, a float above 0 and at most 1; if None, the
            largest of each row is.
        name: name of the metric.
        dtype: type of counts and result.

    Raises:
        ValueError: if an argument is outside the values above.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        config = super().get_config()
        del config["beta"]
        return config
