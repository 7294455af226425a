"""What the parameters of `build` and `call` say: names, arrays among the arguments, shapes."""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import jax
import numpy as np


@cache
def accepted(function: Any) -> tuple[str, ...]:
    """Names of the parameters after self, catch-alls left out."""
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD))


def arrays_of(call: Any, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `call` that hold nothing but arrays, by name."""
    names = accepted(call)
    named = {
        (names[i] if i < len(names) else f"argument_{i}"): value for i, value in enumerate(args)
    }
    return {
        name: value
        for name, value in {**named, **kwargs}.items()
        if (leaves := jax.tree.leaves(value)) and all(hasattr(leaf, "shape") for leaf in leaves)
    }


def is_shape(value: Any) -> bool:
    """Whether `value` is a list or tuple of sizes; None stands for an unknown one."""
    return isinstance(value, (tuple, list)) and all(
        size is None or isinstance(size, (int, np.integer)) for size in value
    )


def as_shape(shape: Any) -> tuple:
    """A shape as a tuple; a number is the shape of a vector."""
    return (int(shape),) if isinstance(shape, (int, np.integer)) else tuple(shape)
