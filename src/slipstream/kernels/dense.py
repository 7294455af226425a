"""The product of rows with a matrix, as dense layers take it, and its gradients.

On the CPU, XLA is near the limit for products of many rows. It starts small ones slowly and on one
thread, and reads large matrices more slowly than it could: these have a form of our own there, and
so has the gradient of the matrix. The rules below come from a few machines; long runs race the
forms on theirs (race.py).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native
from slipstream.kernels.finish import finished, scaled, top_of

_MOST_ALONE, _MOST = 2**23, 2**24  # multiplications of products
_FEW, _SOME, _MANY = 6, 64, 256  # rows
_VAST = 2**20  # numbers of a matrix of which ours packs blocks, as it does of the rows
_CHAINED = 1024  # rows; XLA joins layers into one operation, for fewer up to nine times as slow
_NARROW, _SHORT = 48, 1024  # numbers of a result's row and of a row; XLA is at its best with more
_WIDE = 2**20  # numbers of a matrix that is read by all threads for a few rows
_TALL, _SMALL = 768, 2**14  # rows, and numbers of a matrix that all threads have in a cache
_LONG, _LONGEST = 2**22, 2**32  # operations, between which the two forms may be raced
_DEEPEST = 2**13  # numbers of a row, of which a few columns of the matrix are packed at once


def product(x: Any, matrix: Any, bias: Any = None, relu: bool = False) -> Any:
    """``x @ matrix`` of ``(…, inputs)`` and ``(inputs, outputs)``: ``(…, outputs)``.

    Args:
        bias: ``(outputs,)``, added to the result.
        relu: whether negative results become 0.
    """
    if x.ndim < 2 or matrix.ndim != 2 or not forms.floats(x, matrix):
        y = x @ matrix if bias is None else x @ matrix + bias
        return jax.nn.relu(y) if relu else y
    rows = _rows(x)
    if bias is None and not relu:
        y = _product.bind(rows, matrix)
    else:
        bias = jnp.zeros(matrix.shape[1], x.dtype) if bias is None else bias
        y = _finished.bind(rows, matrix, bias, relu=relu)
    return y.reshape(*x.shape[:-1], matrix.shape[-1])


def scaled_product(x: Any, matrix: Any, scale: Any, bias: Any, top: float) -> Any:
    """`product`, then each column times a number, plus another one, cut off (finish.py).

    Args:
        x, matrix: floats of one type.
        scale, bias: ``(outputs,)``.
        top: results lie from 0 to it; as they are if it is negative.
    """
    y = _scaled.bind(_rows(x), matrix, scale, bias, top=top)
    return y.reshape(*x.shape[:-1], matrix.shape[-1])


def _rows(x: Any) -> Any:
    return x.reshape(prod(x.shape[:-1]), x.shape[-1])


def weight_gradient(x: Any, dy: Any) -> Any:
    """``x.T @ dy`` of ``(rows, inputs)`` and ``(rows, outputs)``: ``(inputs, outputs)``."""
    return _weight_gradient.bind(x, dy)


def _compiled(x: Any, dy: Any) -> Any:
    result = jax.ShapeDtypeStruct((x.shape[1], dy.shape[1]), x.dtype)
    return native.call("weight_gradient", result, x, dy)


def _fits(x: Any, dy: Any) -> bool:
    return forms.floats(x, dy) and prod(x.shape) * dy.shape[1] > 0


def _flops(x: Any, other: Any) -> float:
    return 2.0 * prod(x.shape) * other.shape[1]


def _reference(x: Any, matrix: Any) -> Any:
    return x @ matrix


def _back_reference(dy: Any, matrix: Any) -> Any:
    return dy @ matrix.T


def _product_compiled(
    x: Any, matrix: Any, bias: Any = None, relu: bool = False, transposed: bool = False
) -> Any:
    bias = jnp.zeros(0, x.dtype) if bias is None else bias
    return _ours(x, matrix, jnp.zeros(0, x.dtype), bias, top_of(relu), transposed)


def _ours(x: Any, matrix: Any, scale: Any, bias: Any, top: float, transposed: bool = False) -> Any:
    columns = matrix.shape[0 if transposed else 1]
    result = jax.ShapeDtypeStruct((x.shape[0], columns), x.dtype)
    operands = (x, matrix, scale, bias)
    return native.call("product", result, *operands, transposed=transposed, top=top)


def _product_fits(x: Any, matrix: Any) -> bool:
    return _is_better(x, matrix, matrix.shape[1], forward=True)


def _finished_fits(x: Any, matrix: Any) -> bool:
    """XLA adds a bias in a pass of its own, which costs most where a row takes little work."""
    plain = {str(array.dtype) for array in (x, matrix)} == {"float32"}
    rows, depth = x.shape
    many = rows >= _TALL and 1 < depth <= _SHORT and 0 < matrix.size <= _SMALL
    return (plain and many) or _product_fits(x, matrix)


def _back_fits(dy: Any, matrix: Any) -> bool:
    return _is_better(dy, matrix, matrix.shape[0], forward=False)


def _is_better(x: Any, matrix: Any, columns: int, forward: bool) -> bool:
    """Whether XLA is not at its best: it needs long to begin, and more for several threads.

    A gradient runs beside another one, which hides that in part.
    """
    if {str(array.dtype) for array in (x, matrix)} != {"float32"}:
        return False
    (rows, depth), work = x.shape, prod(x.shape) * columns
    if rows <= _FEW:
        return work >= rows * _WIDE
    if depth <= 1 or work == 0:
        return False
    several = native.threads() > 1
    if several and rows >= _SOME and matrix.size >= _VAST:
        return True
    if depth > _DEEPEST:
        return False
    if columns <= _NARROW and depth <= _SHORT:
        return True
    if rows > _MANY or (forward and several and rows >= _SOME):
        return rows < _CHAINED
    return work <= (_MOST if several else _MOST_ALONE)


def _raced(flops: Callable[..., float]) -> Callable[..., bool]:
    """Whether it takes long enough to be timed by itself, and not so long that a race is dear."""

    def raced(x: Any, other: Any) -> bool:
        kinds = {str(array.dtype) for array in (x, other)}
        return kinds == {"float32"} and _LONG <= flops(x, other) <= _LONGEST

    return raced


def _back_flops(dy: Any, matrix: Any) -> float:
    return 2.0 * prod(dy.shape) * matrix.shape[0]


_product = forms.operation(
    "product",
    _reference,
    _product_compiled,
    _product_fits,
    flops=_flops,
    contested=_raced(_flops),
)
_back = forms.operation(
    "product_gradient",
    _back_reference,
    lambda dy, matrix: _product_compiled(dy, matrix, transposed=True),
    _back_fits,
    flops=_back_flops,
    contested=_raced(_back_flops),
)
_weight_gradient = forms.operation(
    "weight_gradient",
    lambda x, dy: x.T @ dy,
    _compiled,
    _fits,
    flops=_flops,
    contested=_raced(_flops),
)
_finished = finished(
    "finished_product",
    _product,
    _reference,
    _product_compiled,
    _finished_fits,
    _flops,
    _raced(_flops),
)
_scaled = scaled("scaled_product", _product, _ours, _finished_fits, _flops, _raced(_flops))
forms.bilinear(
    _product,
    lambda dy, shape, matrix: _back.bind(dy, matrix),
    lambda dy, x, shape: weight_gradient(x, dy),
)
forms.bilinear(
    _back,
    lambda dx, shape, matrix: _product.bind(dx, matrix),
    lambda dx, dy, shape: weight_gradient(dx, dy),
)
forms.bilinear(
    _weight_gradient,
    lambda dw, shape, dy: _back.bind(dy, dw),
    lambda dw, x, shape: _product.bind(x, dw),
)
