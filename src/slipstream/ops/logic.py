"""Comparisons, truth values and bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, Index, operation
from slipstream.ops.define import binary, unary

op = operation("numpy")

less = binary("less", jnp.less, "Whether ``x1 < x2``.")
less_equal = binary("less_equal", jnp.less_equal, "Whether ``x1 <= x2``.")
greater = binary("greater", jnp.greater, "Whether ``x1 > x2``.")
greater_equal = binary("greater_equal", jnp.greater_equal, "Whether ``x1 >= x2``.")
equal = binary("equal", jnp.equal, "Whether ``x1 == x2``.")
not_equal = binary("not_equal", jnp.not_equal, "Whether ``x1 != x2``.")

logical_and = binary("logical_and", jnp.logical_and, "Whether both are true.")
logical_or = binary("logical_or", jnp.logical_or, "Whether one or both are true.")
logical_xor = binary("logical_xor", jnp.logical_xor, "Whether one alone is true.")
logical_not = unary("logical_not", jnp.logical_not, "Whether `x` is false.")


def _bits(name: str, function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def apply(x: Array, y: Array) -> Any:
        return function(x, y)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = doc
    return op(apply)


bitwise_and = _bits("bitwise_and", jnp.bitwise_and, "Bits set in both.")
bitwise_or = _bits("bitwise_or", jnp.bitwise_or, "Bits set in one or both.")
bitwise_xor = _bits("bitwise_xor", jnp.bitwise_xor, "Bits set in one alone.")
left_shift = _bits("left_shift", jnp.left_shift, "Bits of `x` moved up by `y` places.")
right_shift = _bits("right_shift", jnp.right_shift, "Bits of `x` moved down by `y` places.")
bitwise_left_shift = _bits("bitwise_left_shift", jnp.left_shift, "The same as `left_shift`.")
bitwise_right_shift = _bits("bitwise_right_shift", jnp.right_shift, "The same as `right_shift`.")
bitwise_not = unary("bitwise_not", jnp.bitwise_not, "Every bit turned over.")
bitwise_invert = unary("bitwise_invert", jnp.bitwise_not, "Every bit turned over.")


@op
def isclose(
    x1: Array, x2: Array, rtol: Index = 1e-5, atol: Index = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether ``abs(x1 - x2) <= atol + rtol * abs(x2)``."""
    return jnp.isclose(x1, x2, rtol, atol, equal_nan)


@operation("numpy", "AllClose")
def allclose(
    x1: Array, x2: Array, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Any:
    """Whether all elements are close, as `isclose` says."""
    return jnp.allclose(x1, x2, rtol, atol, equal_nan)


@operation("numpy", "IsIn")
def isin(x1: Array, x2: Array, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of `x1` is one of `x2`'s; with `invert`, whether it is none."""
    return jnp.isin(x1, x2, assume_unique=assume_unique, invert=invert)
