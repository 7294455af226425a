"""The coefficient of determination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.losses.arrays import match_ranks
from slipstream.metrics.base import Metric
from slipstream.metrics.counting import check_count
from slipstream.metrics.weighting import check_same_shape, element_weights, weigh


@register("metric")
class R2Score(Metric):
    """Coefficient of determination, ``1 - sum((y_true - y_pred)²) / sum((y_true - mean)²)``.

    Args:
        class_aggregation: how outputs are brought together: ``"uniform_average"``,
            ``"variance_weighted_average"``, or None for one score an output.
        num_regressors: number of inputs of the model for the adjusted score, 0 for the plain one.
            Where there are not more values than that plus one, the score stays plain.
        name: name of the metric.
        dtype: type in which differences are computed; sums are kept in `floatx()`.

    Raises:
        ValueError: if an argument is outside the values above.
    """

    per_example = True
    direction = "up"

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if class_aggregation not in (None, "uniform_average", "variance_weighted_average"):
            raise ValueError(
                "class_aggregation must be None, 'uniform_average' or "
                f"'variance_weighted_average'; got {class_aggregation!r}."
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = check_count("num_regressors", num_regressors, least=0)
        self.num_samples = self.add_variable((), name="num_samples")
        self.built = False

    def build(self, y_true_shape: Sequence[int], y_pred_shape: Sequence[int]) -> None:
        """Create the sums of each output for ``(batch, outputs)`` predictions.

        Raises:
            ValueError: for any other rank.
        """
        if len(y_pred_shape) != 2:
            raise ValueError(
                f"Metric {self.name!r} (R2Score) needs y_true and y_pred of shape (batch, "
                f"outputs); got {tuple(y_true_shape)} and {tuple(y_pred_shape)}. Reshape them."
            )
        outputs = (y_pred_shape[-1],)
        self.squared_sum = self.add_variable(outputs, name="squared_sum")
        self.sum = self.add_variable(outputs, name="sum")
        self.total_mse = self.add_variable(outputs, name="residual")
        self.count = self.add_variable(outputs, name="count")
        self.built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Gather one batch.

        Args:
            y_true: ``(batch, outputs)`` targets, or ``(batch,)`` for one output.
            y_pred: ``(batch, outputs)`` predictions.
            sample_weight: a scalar, ``(batch,)`` or up to the full shape.

        Raises:
            ValueError: if the shapes do not fit.
        """
        y_true, y_pred = match_ranks(
            jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        )
        if not self.built:
            self.build(y_true.shape, y_pred.shape)
        check_same_shape(self, y_true, y_pred)
        weights = element_weights(self, 1 if sample_weight is None else sample_weight, y_true)
        self.sum.assign_add(jnp.sum(weigh(y_true, weights), axis=0))
        self.squared_sum.assign_add(jnp.sum(weigh(y_true * y_true, weights), axis=0))
        self.total_mse.assign_add(jnp.sum(weigh(jnp.square(y_true - y_pred), weights), axis=0))
        self.count.assign_add(jnp.sum(weights, axis=0))
        self.num_samples.assign_add(jnp.sum(weights != 0).astype(self.num_samples.dtype))

    def result(self) -> Any:
        """The score, or ``(outputs,)`` scores; nan before any update."""
        if not self.built:
            return jnp.full((), jnp.nan, config.floatx())
        total_sum = jnp.asarray(self.sum.value)
        variation = self.squared_sum.value - total_sum * (total_sum / self.count.value)
        score = 1 - self.total_mse.value / variation
        score = jnp.where(jnp.isinf(score), 0, score)  # a constant target that was missed
        if self.class_aggregation == "uniform_average":
            score = jnp.mean(score)
        elif self.class_aggregation == "variance_weighted_average":
            score = jnp.sum(variation * score) / jnp.sum(variation)
        if not self.num_regressors:
            return score
        samples = jnp.asarray(self.num_samples.value)
        freedom = samples - self.num_regressors - 1
        adjusted = 1 - (1 - score) * (samples - 1) / jnp.where(freedom > 0, freedom, 1)
        return jnp.where(freedom > 0, adjusted, score)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {
            **super().get_config(),
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
