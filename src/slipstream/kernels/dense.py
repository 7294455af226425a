"""The product of rows with a matrix, as dense layers take it, and the gradient of the matrix.

The product and the gradient of the rows are XLA's, which are at the limit of the CPU. The gradient
of the matrix has a form of our own there.
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax

from slipstream.kernels import forms, native

WORTH = 2**20  # multiplications; below, a call costs more than it gains


def product(x: Any, matrix: Any) -> Any:
    """``x @ matrix`` of ``(…, inputs)`` and ``(inputs, outputs)``: ``(…, outputs)``."""
    if x.ndim < 2 or matrix.ndim != 2 or not forms.floats(x, matrix):
        return x @ matrix
    rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
    return _product.bind(rows, matrix).reshape(*x.shape[:-1], matrix.shape[-1])


def weight_gradient(x: Any, dy: Any) -> Any:
    """``x.T @ dy`` of ``(rows, inputs)`` and ``(rows, outputs)``: ``(inputs, outputs)``."""
    return _weight_gradient.bind(x, dy)


def _compiled(x: Any, dy: Any) -> Any:
    result = jax.ShapeDtypeStruct((x.shape[1], dy.shape[1]), x.dtype)
    return native.call("weight_gradient", result, x, dy)


def _fits(x: Any, dy: Any) -> bool:
    return forms.floats(x, dy) and prod(x.shape) * dy.shape[1] >= WORTH


def _flops(x: Any, other: Any) -> float:
    return 2.0 * prod(x.shape) * other.shape[1]


_product = forms.operation(
    "product",
    lambda x, matrix: x @ matrix,
    lambda x, matrix: x @ matrix,
    forms.floats,
    flops=_flops,
)
_weight_gradient = forms.operation(
    "weight_gradient", lambda x, dy: x.T @ dy, _compiled, _fits, flops=_flops
)
forms.bilinear(
    _product,
    lambda dy, shape, matrix: product(dy, matrix.T),
    lambda dy, x, shape: weight_gradient(x, dy),
)
forms.bilinear(
    _weight_gradient,
    lambda dw, shape, dy: product(dy, dw.T),
    lambda dw, x, shape: product(x, dw),
)
