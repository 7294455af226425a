"""Short ways to define operations that are a function of `jax.numpy` and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, operation

Function = Callable[..., Any]


def unary(name: str, function: Function, doc: str, home: str = "numpy") -> Function:
    """The operation ``name(x)`` that is ``function(x)``."""

    def apply(x: Array) -> Any:
        return function(x)

    return _enter(apply, name, doc, home)


def binary(name: str, function: Function, doc: str, home: str = "numpy") -> Function:
    """The operation ``name(x1, x2)`` that is ``function(x1, x2)``, broadcast."""

    def apply(x1: Array, x2: Array) -> Any:
        return function(x1, x2)

    return _enter(apply, name, doc, home)


def _enter(apply: Function, name: str, doc: str, home: str) -> Function:
    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = doc
    return operation(home)(apply)


def as_float(x: Any) -> Any:
    """`x` as an array; whole numbers and truth values in the default float type."""
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(config.floatx())


def as_tuple(value: Any, length: int) -> tuple:
    """`value` for each of `length` axes."""
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * length


def as_axis(axis: Any) -> Any:
    """An axis, or several as a tuple."""
    return tuple(axis) if isinstance(axis, list) else axis
