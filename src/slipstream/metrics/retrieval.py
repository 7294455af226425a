"""Retrieval metrics: at which rank the right candidate comes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.metrics.base import Metric
from slipstream.metrics.reduction import Mean
from slipstream.metrics.weighting import ratio


def retrieval_ranks(y_true: Any, y_pred: Any, candidates: Any = None) -> tuple[Any, Any]:
    """Rank of the best right candidate for each query, from 1; equal scores share their ranks.

    Args:
        y_true: the right candidate's column, ``(queries,)`` or ``(queries, 1)``; or
            ``(queries, candidates)``, not 0 for each right one.
        y_pred: scores, ``(queries, candidates)``, higher is better.
        candidates: which candidates count, bool, broadcasts to the scores; all if not given.

    Returns:
        Ranks ``(queries,)`` float32, and which queries have a right candidate at all.

    Raises:
        ValueError: if the shapes do not fit.
    """
    y_true, y_pred = jnp.asarray(y_true), jnp.asarray(y_pred)
    if y_pred.ndim != 2 or y_true.size not in (y_pred.shape[0], y_pred.size):
        raise ValueError(
            "Ranks are taken of scores (queries, candidates) by one right column for each query, "
            f"or by right and wrong for each score; got y_pred {y_pred.shape} and y_true "
            f"{y_true.shape}."
        )
    if y_true.shape == y_pred.shape:
        right = y_true != 0
    else:
        right = y_true.reshape(-1, 1).astype(jnp.int32) == jnp.arange(y_pred.shape[1])
    counts = jnp.ones(y_pred.shape, bool) if candidates is None else candidates
    right, wrong = right & counts, ~right & counts
    best = jnp.max(jnp.where(right, y_pred, -jnp.inf), 1, keepdims=True, initial=-jnp.inf)
    # NaN is ahead of what is right, and right with NaN is behind: a broken model finds nothing.
    ahead, even = jnp.sum(wrong & ~(y_pred <= best), 1), jnp.sum(wrong & (y_pred == best), 1)
    return 1 + ahead + 0.5 * even.astype(jnp.float32), jnp.any(right, 1)


def _ranks(metric: Any, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Ranks and their weights, of scores or of joint embeddings."""
    y_pred = jnp.asarray(y_pred)
    rows = jnp.ones(y_pred.shape[0], jnp.float32)
    if sample_weight is not None:
        rows = rows * jnp.reshape(jnp.asarray(sample_weight, jnp.float32), -1)
    if y_pred.ndim != 3:
        ranks, found = retrieval_ranks(y_true, y_pred)
        return ranks, rows * found
    query, target = metric.query, metric.target
    if not max(query, target) < y_pred.shape[1]:
        raise ValueError(
            f"Metric {metric.name!r} searches modality {target} by modality {query}; there are "
            f"{y_pred.shape[1]} in y_pred of shape {y_pred.shape}."
        )
    numbers = jnp.reshape(jnp.asarray(y_true), -1)
    asked, answers = y_pred[:, query], y_pred[:, target]
    counts = jnp.any(answers != 0, -1) & (rows != 0)
    ranks, found = retrieval_ranks(
        numbers[:, None] == numbers, asked @ answers.T, jnp.broadcast_to(counts, (rows.size,) * 2)
    )
    return ranks, rows * (found & jnp.any(asked != 0, -1))


def _modalities(query: int, target: int) -> tuple[int, int]:
    for name, value in (("query", query), ("target", target)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"{name} must be a whole number of at least 0; got {value!r}.")
    return query, target


class _MeanOverQueries(Mean):
    """Mean of a function of the rank."""

    per_example = True
    direction = "up"

    def __init__(self, query: int, target: int, name: str | None, dtype: Any) -> None:
        super().__init__(name, dtype)
        self.query, self.target = _modalities(query, target)

    def _value(self, ranks: Any) -> Any:
        raise NotImplementedError

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Gather one batch; weights are ``(batch,)``."""
        ranks, weights = _ranks(self, y_true, y_pred, sample_weight)
        self._add(self._value(ranks).astype(self.dtype), weights.astype(self.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {**super().get_config(), "query": self.query, "target": self.target}


@register("metric")
class RecallAtK(_MeanOverQueries):
    """Share of the queries with a right candidate among the first `k`.

    `y_pred` are scores ``(queries, candidates)``, `y_true` the right candidate's column
    ``(queries,)`` or 1 for right ones ``(queries, candidates)``. Or `y_pred` are the embeddings of
    `layers.JointEmbedding`, ``(batch, modalities, features)``, searched within their batch, and
    `y_true` numbers ``(batch,)``, the same for what belongs together. For ranks in a whole
    evaluation set, call the metric on all of its scores at once.

    Candidates of one score share the mean of their ranks. A query without a right candidate does
    not count.

    Args:
        k: how many candidates are looked at.
        query, target: places of the modality that is asked with and of the one searched, where
            `y_pred` are embeddings.
        name: ``"recall_at_<k>"`` if not given.
        dtype: type of sums and result.

    Raises:
        ValueError: if a number is out of range, or shapes do not fit.
    """

    def __init__(
        self,
        k: int = 1,
        query: int = 0,
        target: int = 1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ValueError(f"k must be a whole number of at least 1; got {k!r}.")
        super().__init__(query, target, name or f"recall_at_{k}", dtype)
        self.k = k

    def _value(self, ranks: Any) -> Any:
        return ranks <= self.k

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        return {**super().get_config(), "k": self.k}


@register("metric")
class MeanReciprocalRank(_MeanOverQueries):
    """Mean of one over the rank of the best right candidate; see `RecallAtK` for the inputs.

    Args:
        query, target: see `RecallAtK`.
        name: name of the metric.
        dtype: type of sums and result.
    """

    def __init__(
        self,
        query: int = 0,
        target: int = 1,
        name: str = "mean_reciprocal_rank",
        dtype: Any = None,
    ) -> None:
        super().__init__(query, target, name, dtype)

    def _value(self, ranks: Any) -> Any:
        return 1 / ranks


@register("metric")
class MedianRank(Metric):
    """Median of the rank of the best right candidate; see `RecallAtK` for the inputs.

    Args:
        max_rank: ranks beyond count as this one.
        query, target: see `RecallAtK`.
        name: name of the metric.
        dtype: type of the result.
    """

    per_example = True
    direction = "down"

    def __init__(
        self,
        max_rank: int = 10_000,
        query: int = 0,
        target: int = 1,
        name: str = "median_rank",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.query, self.target = _modalities(query, target)
        if not isinstance(max_rank, int) or isinstance(max_rank, bool) or max_rank < 1:
            raise ValueError(f"max_rank must be a whole number of at least 1; got {max_rank!r}.")
        self.max_rank = max_rank
        # Weight of the queries at each rank, in steps of a half.
        self.counts = self.add_variable((2 * max_rank + 1,), name="counts")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Gather one batch; weights are ``(batch,)``."""
        ranks, weights = _ranks(self, y_true, y_pred, sample_weight)
        places = jnp.minimum(2 * ranks, 2 * self.max_rank).astype(jnp.int32)
        self.counts.assign(jnp.asarray(self.counts.value).at[places].add(weights))

    def result(self) -> Any:
        """The median, 0 before any update."""
        below = jnp.cumsum(jnp.asarray(self.counts.value))
        half = below[-1] / 2
        first, second = jnp.argmax(below >= half), jnp.argmax(below > half)
        return ratio(0.25 * (first + second) * below[-1], below[-1]).astype(self.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        own = {"max_rank": self.max_rank, "query": self.query, "target": self.target}
        return {**super().get_config(), **own}
