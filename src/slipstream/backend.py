"""What scripts take from `keras.backend`."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import jax.numpy as jnp

from slipstream.config import (
    backend,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from slipstream.core.variable import Variable
from slipstream.utils import clear_session, is_keras_tensor, standardize_dtype

__all__ = [
    "Variable",
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "is_float_dtype",
    "is_int_dtype",
    "is_keras_tensor",
    "result_type",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "standardize_dtype",
]

_counts: defaultdict[str, int] = defaultdict(int)


def get_uid(prefix: str = "") -> int:
    """1, then 2, 3 … for each prefix."""
    _counts[prefix] += 1
    return _counts[prefix]


def is_float_dtype(dtype: Any) -> bool:
    """Whether a type is one of floats."""
    return bool(jnp.issubdtype(standardize_dtype(dtype), jnp.floating))


def is_int_dtype(dtype: Any) -> bool:
    """Whether a type is one of whole numbers, bool apart."""
    return bool(jnp.issubdtype(standardize_dtype(dtype), jnp.integer))


def result_type(*dtypes: Any) -> str:
    """The type of an operation's result for operands of these types; int and float are weak."""
    weak = {int: 0, float: 0.0}
    return jnp.result_type(
        *(weak[dtype] if dtype in (int, float) else standardize_dtype(dtype) for dtype in dtypes)
    ).name
