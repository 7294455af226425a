"""Ranges given as one number or two, checked once for all layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels.channels import once
from slipstream.kernels.sampling import FILL_MODES, INTERPOLATIONS


def limits(layer: Any, argument: str, value: Any, lowest: float, highest: float) -> tuple:
    """A range to draw from: two numbers in order, or one number that stands for both signs of it.

    Where `lowest` is not negative, one number is the upper end and `lowest` the lower one.

    Raises:
        ValueError: if a number lies out of `lowest` to `highest`, or there are more than two.
    """
    both = value if isinstance(value, (tuple, list)) else (value,)
    if len(both) not in (1, 2) or not all(
        isinstance(v, (int, float)) and lowest <= v <= highest for v in both
    ):
        wanted = f"a number from {lowest} to {highest}, or two of them"
        raise layer._fault(argument, wanted, value)
    if len(both) == 2:
        return tuple(sorted(both))
    return (max(lowest, -abs(both[0])), abs(both[0]))


def value_limits(layer: Any, value: Any) -> tuple:
    """The least and the greatest value of a pixel.

    Raises:
        ValueError: unless there are two numbers.
    """
    if not isinstance(value, (tuple, list)) or len(value) != 2 or value[0] == value[1]:
        raise layer._fault("value_range", "two numbers that differ", value)
    return tuple(sorted(value))


def one_of(layer: Any, argument: str, value: Any, allowed: tuple[str, ...]) -> Any:
    """`value`, if it is among the allowed ones.

    Raises:
        NotImplementedError: if it is not.
    """
    if value not in allowed:
        raise NotImplementedError(
            f"{type(layer).__name__} layer {layer.name!r}: {argument} must be one of "
            f"{', '.join(map(repr, allowed))}; got {value!r}."
        )
    return value


def filling(layer: Any, fill_mode: str, interpolation: str) -> tuple[str, str]:
    """A fill mode and an interpolation, both checked."""
    return (
        one_of(layer, "fill_mode", fill_mode, FILL_MODES),
        one_of(layer, "interpolation", interpolation, INTERPOLATIONS),
    )


def uniform(key: Any, batch: int, count: int) -> list[Any]:
    """`count` numbers from 0 to 1 for each example, each ``(batch,)``.

    An example's numbers depend on its row alone, not on the size of the batch.
    """
    return list(jnp.moveaxis(once(jax.random.uniform(key, (batch, count))), -1, 0))


def between(share: Any, ends: tuple) -> Any:
    """Shares from 0 to 1 as numbers between two ends."""
    return ends[0] + (ends[1] - ends[0]) * share


def chosen(factor: tuple, chance: Any, share: Any) -> Any:
    """Which examples to change, each with a probability drawn between the ends of `factor`."""
    return share < between(chance, factor)
