"""Sums and means of values, and of functions of target and prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.core.scope import attached
from slipstream.losses.arrays import match_ranks
from slipstream.losses.base import keeps_rows_apart
from slipstream.metrics.base import Metric
from slipstream.metrics.weighting import combine_mask, ratio, row_sums


class _Reduction(Metric):
    def _masked(self, values: Any, sample_weight: Any) -> Any:
        """Weights and the mask that `values` may carry; without weights the mask is left out."""
        if sample_weight is None:
            return None
        return combine_mask(sample_weight, attached(values, "mask"), self.dtype)


@register("metric")
class Sum(_Reduction):
    """Weighted sum of all values.

    Args:
        name: name of the metric.
        dtype: type of sum and result.
    """

    per_example = True

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), dtype=self.dtype, name="total")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add `values`, ``(batch, …)``, with weights ``(batch,)`` or up to their shape."""
        sample_weight = self._masked(values, sample_weight)
        values = jnp.asarray(values, self.dtype)
        self.total.assign_add(row_sums(self, values, sample_weight, mean=False)[0])

    def result(self) -> Any:
        """The sum, 0 before any update."""
        return jnp.asarray(self.total.value)


@register("metric")
class Mean(_Reduction):
    """Weighted mean over rows; a row counts as the mean of its elements.

    Args:
        name: name of the metric.
        dtype: type of sums and result.
    """

    per_example = True

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self.total = self.add_variable((), dtype=self.dtype, name="total")
        self.count = self.add_variable((), dtype=self.dtype, name="count")

    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Gather `values`, ``(batch, …)``, with weights ``(batch,)`` or up to their shape.

        A scalar weight is the weight of the whole update, whatever its number of rows.
        """
        self._add(values, self._masked(values, sample_weight))

    def _add(self, values: Any, weights: Any) -> None:
        total, count = row_sums(self, jnp.asarray(values, self.dtype), weights, mean=True)
        self.total.assign_add(total)
        self.count.assign_add(count)

    def result(self) -> Any:
        """The mean, 0 before any update."""
        return ratio(self.total.value, self.count.value)


@register("metric")
class MeanMetricWrapper(Mean):
    """Mean of ``fn(y_true, y_pred)`` over rows.

    A mask attached to `y_pred` counts as weights of 0 and 1. For our own functions that average
    over the last axis, a target or prediction ``(batch,)`` means ``(batch, 1)``.

    Args:
        fn: function of target and prediction to ``(batch,)`` or ``(batch, …)`` values.
        name: automatic if not given.
        dtype: type of arguments, sums and result.
        **kwargs: further arguments of `fn`.
    """

    per_example = False  # nothing is known of the function, unless it says so itself

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(name, dtype)
        self._fn = fn
        self._fn_kwargs = kwargs
        if self.direction is None and registry.is_ours(fn):
            self.direction = "down"  # a loss
        rows_apart = keeps_rows_apart(kwargs.get("axis", -1))
        if type(self) is MeanMetricWrapper:
            self.per_example = rows_apart and getattr(fn, "per_example", False)
        elif not rows_apart:
            self.per_example = False

    def update_state(  # type: ignore[override]
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        """Gather one batch; weights are ``(batch,)`` or up to the shape of the values."""
        mask = attached(y_pred, "mask")
        y_true, y_pred = jnp.asarray(y_true, self.dtype), jnp.asarray(y_pred, self.dtype)
        if getattr(self._fn, "averages", False):
            y_true, y_pred = match_ranks(y_true, y_pred)
            if y_pred.ndim == 1:
                y_true, y_pred = y_true[:, None], y_pred[:, None]
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        # A mask that the function puts on its values would make rows with a weight of 1 count
        # otherwise than rows without weights, so it is left aside.
        self._add(values, combine_mask(sample_weight, mask, self.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric; the function must be registered."""
        return {
            **super().get_config(),
            "fn": _save_function(self._fn),
            **registry.serialize_dict(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The metric that `get_config` described."""
        loaded = {key: registry.deserialize(v) for key, v in config.items() if key != "fn"}
        if "fn" in config:
            loaded["fn"] = _load_function(config["fn"])
        return cls(**loaded)


class FunctionMetric(MeanMetricWrapper):
    """One of our own functions as a metric: its arguments are attributes and configuration.

    Attributes:
        unsaid: arguments that the configuration names only where they differ from these values.
    """

    per_example = True
    unsaid: dict[str, Any] = {}

    def __init__(
        self, fn: Callable[..., Any], name: str | None, dtype: Any, **arguments: Any
    ) -> None:
        super().__init__(fn, name, dtype, **arguments)
        for key, value in arguments.items():
            setattr(self, key, value)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal metric."""
        said = {
            key: value
            for key, value in self._fn_kwargs.items()
            if key not in self.unsaid or value != self.unsaid[key]
        }
        return {**Metric.get_config(self), **said}


_functions: dict[str, Callable[..., Any]] = {}


def metric_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let configurations name `function`, while its bare name stays that of the class."""
    _functions[function.__name__] = function
    return function


def _save_function(function: Callable[..., Any]) -> Any:
    name = getattr(function, "__name__", None)
    return name if name in _functions else registry.serialize(function)


def _load_function(config: Any) -> Callable[..., Any]:
    named = isinstance(config, dict) and config.get("class_name") == "function"
    name = config["config"] if named else config
    if isinstance(name, str) and name in _functions:
        return _functions[name]
    return registry.deserialize(config, kind="loss")
