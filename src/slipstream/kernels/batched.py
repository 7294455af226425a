"""Products of many matrices with as many others, each pair by itself, and their gradients.

On the CPU XLA takes such products one after the other, and the right one as it lies; a form of our
own packs it, and all threads take whole products.
"""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native

_LEAST, _MOST = 2**12, 2**22  # multiplications of a pair
_SHORT = 4  # rows, columns and numbers of a sum; with fewer XLA is quicker


def batched_product(
    x: Any, matrices: Any, left_turned: bool = False, right_turned: bool = False
) -> Any:
    """``x @ matrices`` of arrays with the same axes before the last two.

    Args:
        x: ``(…, rows, depth)``, or ``(…, depth, rows)`` if `left_turned`.
        matrices: ``(…, depth, columns)``, or ``(…, columns, depth)`` if `right_turned`.

    Returns:
        ``(…, rows, columns)``.
    """
    lead = x.shape[:-2]
    if lead != matrices.shape[:-2] or not lead or x.dtype != matrices.dtype:
        left = jnp.swapaxes(x, -1, -2) if left_turned else x
        return left @ (jnp.swapaxes(matrices, -1, -2) if right_turned else matrices)
    x, matrices = (array.reshape(prod(lead), *array.shape[-2:]) for array in (x, matrices))
    y = _batched.bind(x, matrices, left_turned=left_turned, right_turned=right_turned)
    return y.reshape(*lead, *y.shape[1:])


def einsum(subscripts: str, x: Any, matrices: Any) -> Any:
    """``jnp.einsum`` of two arrays; by `batched_product` where it is one."""
    inputs, _, out = subscripts.replace(" ", "").partition("->")
    left, _, right = inputs.partition(",")
    names, batch = (left, right, out), out[:-2]
    alike = all(len(set(n)) == len(n) > 2 and n[:-2] == batch for n in names)
    if alike and len({*left[-2:], *right[-2:], *out[-2:]}) == 3 and "." not in subscripts:
        if out[-2] not in left:
            left, right, x, matrices = right, left, matrices, x
        if out[-2] in left[-2:] and out[-1] in right[-2:]:
            return batched_product(x, matrices, left[-1] == out[-2], right[-2] == out[-1])
    return jnp.einsum(subscripts, x, matrices)


def _reference(x: Any, matrices: Any, *, left_turned: bool, right_turned: bool) -> Any:
    left, right = "bkr" if left_turned else "brk", "bck" if right_turned else "bkc"
    return jnp.einsum(f"{left},{right}->brc", x, matrices)


def _sizes(x: Any, matrices: Any, left_turned: bool, right_turned: bool) -> tuple[int, int, int]:
    rows, depth = reversed(x.shape[1:]) if left_turned else x.shape[1:]
    return rows, depth, matrices.shape[1 if right_turned else 2]


def _compiled(x: Any, matrices: Any, *, left_turned: bool, right_turned: bool) -> Any:
    rows, _, columns = _sizes(x, matrices, left_turned, right_turned)
    result = jax.ShapeDtypeStruct((x.shape[0], rows, columns), x.dtype)
    return native.call(
        "batched_product",
        result,
        x,
        matrices,
        left_turned=left_turned,
        right_turned=right_turned,
    )


def _supports(x: Any, matrices: Any, **turned: bool) -> bool:
    sizes = _sizes(x, matrices, **turned)
    plain = {str(array.dtype) for array in (x, matrices)} == {"float32"}
    return plain and x.shape[0] > 0 and min(sizes) >= _SHORT and _LEAST <= prod(sizes) <= _MOST


def _flops(x: Any, matrices: Any, **turned: bool) -> float:
    return 2.0 * x.shape[0] * prod(_sizes(x, matrices, **turned))


def _left(dy: Any, _: Any, matrices: Any, *, left_turned: bool, right_turned: bool) -> Any:
    if left_turned:
        return batched_product(matrices, dy, right_turned, True)
    return batched_product(dy, matrices, False, not right_turned)


def _right(dy: Any, x: Any, _: Any, *, left_turned: bool, right_turned: bool) -> Any:
    if right_turned:
        return batched_product(dy, x, True, left_turned)
    return batched_product(x, dy, not left_turned, False)


_batched = forms.operation("batched_product", _reference, _compiled, _supports, flops=_flops)
forms.bilinear(_batched, _left, _right)
