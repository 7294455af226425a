"""Projections applied to weights after each update.

`axis` names the axes over which a norm is taken: 0 for the ``(inputs, outputs)`` kernel of a
dense layer, ``[0, 1, 2]`` for a ``(height, width, channels, filters)`` kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.core import config, registry
from slipstream.core.registry import register

Axis = int | Sequence[int] | None


@register("constraint")
class Constraint:
    """Maps a weight to the nearest allowed one. Subclasses define `__call__`."""

    def __call__(self, w: Any) -> Any:
        """The allowed array of the same shape and type."""
        return jnp.asarray(w)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal constraint."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The constraint with these arguments."""
        return cls(**{key: registry.deserialize(value) for key, value in config.items()})


def _norm(w: Any, axis: Axis) -> Any:
    axes = tuple(axis) if isinstance(axis, Sequence) else axis
    return jnp.sqrt(jnp.sum(jnp.square(w), axis=axes, keepdims=True))


@register("constraint")
class MaxNorm(Constraint):
    """Scales down what has a norm above `max_value` (Srivastava et al. 2014)."""

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        return w * (jnp.clip(norm, 0, self.max_value) / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@register("constraint")
class NonNeg(Constraint):
    """Sets negative elements to 0."""

    def __call__(self, w: Any) -> Any:
        return jnp.maximum(jnp.asarray(w), 0)


@register("constraint")
class UnitNorm(Constraint):
    """Scales to norm 1."""

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = jnp.asarray(w)
        return w / (config.epsilon() + _norm(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@register("constraint")
class MinMaxNorm(Constraint):
    """Scales to a norm between `min_value` and `max_value`.

    Args:
        min_value: least norm.
        max_value: greatest norm.
        rate: how far to go there, from 0 (not at all) to 1 (all the way).
        axis: axes of the norm.
    """

    def __init__(
        self,
        min_value: float = 0.0,
        max_value: float = 1.0,
        rate: float = 1.0,
        axis: Axis = 0,
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        w = jnp.asarray(w)
        norm = _norm(w, self.axis)
        allowed = jnp.clip(norm, self.min_value, self.max_value)
        wanted = self.rate * allowed + (1 - self.rate) * norm
        return w * (wanted / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


max_norm = MaxNorm
min_max_norm = MinMaxNorm
non_neg = NonNeg
unit_norm = UnitNorm


def get(identifier: Any) -> Any:
    """A constraint from None, a name, configuration, class, object or function."""
    return registry.resolve("constraint", identifier)


def serialize(constraint: Any) -> Any:
    """The JSON-ready configuration of a constraint."""
    return registry.serialize(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The constraint that `serialize` described."""
    return registry.deserialize(config, custom_objects, kind="constraint")
