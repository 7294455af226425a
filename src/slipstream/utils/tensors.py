"""Types and symbolic tensors."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.symbol import SymbolicTensor, is_symbolic, symbols_in


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor."""
    return is_symbolic(x)


def standardize_dtype(dtype: Any) -> str:
    """The name of a type: `floatx()` for None and float, ``"int32"`` for int.

    Raises:
        ValueError: if it is no type of arrays.
    """
    if dtype is None or dtype is float:
        return config.floatx()
    if dtype in (int, "int"):
        return "int32"
    if dtype in ("string", str):
        return "string"
    try:
        return jnp.dtype(dtype).name
    except TypeError:
        raise ValueError(f"{dtype!r} is no type of arrays, such as 'float32' or 'int8'.") from None


def get_source_inputs(tensor: SymbolicTensor) -> list[SymbolicTensor]:
    """The inputs that a symbolic tensor was made from, in the order in which they are met."""
    found: dict[int, SymbolicTensor] = {}
    seen: set[int] = set()

    def visit(symbol: SymbolicTensor) -> None:
        if id(symbol) in seen:
            return
        seen.add(id(symbol))
        parents = [] if symbol.node is None else symbols_in((symbol.node.args, symbol.node.kwargs))
        if not parents:
            found[id(symbol)] = symbol
        for parent in parents:
            visit(parent)

    visit(tensor)
    return list(found.values())
