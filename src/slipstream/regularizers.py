"""Penalties on weights and activations, added to the loss."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.registry import register


@register("regularizer")
class Regularizer:
    """Turns an array into a scalar penalty. Subclasses define `__call__` and `get_config`."""

    def __call__(self, x: Any) -> Any:
        """The penalty on `x`, a scalar of its type."""
        return 0.0

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal regularizer."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The regularizer with these arguments."""
        return cls(**config)


def _factor(name: str, value: Any) -> float:
    """A penalty's factor: a finite number of at least 0."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} must be a finite number of at least 0; got {value!r}.")
    return number


@register("regularizer")
class L1(Regularizer):
    """``l1 * sum(abs(x))``."""

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("l1", 0.01 if l1 is None else l1)

    def __call__(self, x: Any) -> Any:
        return self.l1 * jnp.sum(jnp.abs(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@register("regularizer")
class L2(Regularizer):
    """``l2 * sum(x ** 2)``."""

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("l2", 0.01 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        return self.l2 * jnp.sum(jnp.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@register("regularizer", "l1_l2")
class L1L2(Regularizer):
    """``l1 * sum(abs(x)) + l2 * sum(x ** 2)``."""

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _factor("l1", 0.0 if l1 is None else l1)
        self.l2 = _factor("l2", 0.0 if l2 is None else l2)

    def __call__(self, x: Any) -> Any:
        x = jnp.asarray(x)
        penalty = jnp.zeros((), x.dtype)
        if self.l1:
            penalty += self.l1 * jnp.sum(jnp.abs(x))
        if self.l2:
            penalty += self.l2 * jnp.sum(jnp.square(x))
        return penalty

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@register("regularizer")
class OrthogonalRegularizer(Regularizer):
    """Draws the rows or columns of a matrix towards being orthogonal.

    The penalty is `factor` times the mean absolute cosine over all pairs of rows (columns).

    Args:
        factor: at least 0.
        mode: ``"rows"`` or ``"columns"``.

    Raises:
        ValueError: if an argument is none of these, or the array is no matrix.
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(f"mode must be 'rows' or 'columns'; got {mode!r}.")
        self.factor = _factor("factor", factor)
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        x = jnp.asarray(x)
        if x.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer wants a matrix of 2 axes; got shape {x.shape}. "
                "Put it on a kernel with two axes."
            )
        rows = x if self.mode == "rows" else x.T
        count = rows.shape[0]
        if count < 2:
            return jnp.zeros((), x.dtype)
        squared = jnp.sum(jnp.square(rows), axis=1, keepdims=True)
        unit = rows / jnp.sqrt(jnp.maximum(squared, config.epsilon() ** 2))
        between = jnp.abs(unit @ unit.T) * (1 - jnp.eye(count, dtype=x.dtype))
        return self.factor * jnp.sum(between) / (count * (count - 1))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


l1 = L1
l2 = L2
l1_l2 = L1L2
orthogonal_regularizer = OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """A regularizer from None, a name, configuration, class, object or function."""
    return registry.resolve("regularizer", identifier)


def serialize(regularizer: Any) -> Any:
    """The JSON-ready configuration of a regularizer."""
    return registry.serialize(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The regularizer that `serialize` described."""
    return registry.deserialize(config, custom_objects, kind="regularizer")
