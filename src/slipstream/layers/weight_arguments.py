"""The arguments ``<role>_initializer``, ``<role>_regularizer`` and ``<role>_constraint``.

They are kept in attributes of those names, as Keras keeps them.
"""

from __future__ import annotations

from typing import Any

from slipstream import constraints, initializers, regularizers
from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.variable import Variable


def keep(
    layer: Layer, role: str, initializer: Any, regularizer: Any = None, constraint: Any = None
) -> None:
    """Resolve the three arguments of a weight and keep them in the layer."""
    setattr(layer, f"{role}_initializer", initializers.get(initializer))
    setattr(layer, f"{role}_regularizer", regularizers.get(regularizer))
    setattr(layer, f"{role}_constraint", constraints.get(constraint))


def create(
    layer: Layer, role: str, shape: Any, name: str | None = None, **arguments: Any
) -> Variable:
    """The weight of this role, called `name` or like its role."""
    return layer.add_weight(
        shape,
        getattr(layer, f"{role}_initializer"),
        regularizer=getattr(layer, f"{role}_regularizer"),
        constraint=getattr(layer, f"{role}_constraint"),
        name=name or role,
        **arguments,
    )


def describe(layer: Layer, *roles: str) -> dict[str, Any]:
    """The part of a configuration that gives these arguments back."""
    return {
        f"{role}_{what}": registry.serialize(getattr(layer, f"{role}_{what}"))
        for role in roles
        for what in ("initializer", "regularizer", "constraint")
    }
