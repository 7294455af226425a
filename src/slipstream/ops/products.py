"""Products and sums of products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.kernels import batched
from slipstream.kernels.forms import floats
from slipstream.ops.define import as_float, binary

op = operation("numpy")

inner = binary("inner", jnp.inner, "Sum of products over the last axis of both.")
outer = binary("outer", lambda a, b: jnp.outer(jnp.asarray(a), jnp.asarray(b)), "All products.")
vdot = binary("vdot", jnp.vdot, "Sum of products of all elements, the first one's conjugated.")
kron = binary("kron", jnp.kron, "Kronecker product.")
dot = binary(
    "dot", jnp.dot, "Sum of products over the last axis of `x1` and the last but one of `x2`."
)


@op
def matmul(x1: Array, x2: Array) -> Any:
    """Matrix product over the last two axes; the axes before are broadcast.

    Two int8 arrays give int32.
    """
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    if x1.ndim == x2.ndim > 2 and floats(x1, x2):
        return batched.batched_product(x1, x2)
    wide = jnp.int32 if x1.dtype == x2.dtype == jnp.int8 else None
    return jnp.matmul(x1, x2, preferred_element_type=wide)


@op
def einsum(subscripts: str, *operands: Array, **kwargs: Any) -> Any:
    """Sum of products over the axes that `subscripts` names on the left and not on the right."""
    arrays = [jnp.asarray(operand) for operand in operands]
    if len(arrays) == 2 and floats(*arrays) and not kwargs:
        return batched.einsum(subscripts, *arrays)
    wide = jnp.int32 if arrays and all(array.dtype == jnp.int8 for array in arrays) else None
    return jnp.einsum(subscripts, *arrays, preferred_element_type=wide, **kwargs)


@op
def tensordot(x1: Array, x2: Array, axes: Any = 2) -> Any:
    """Sum of products over `axes`: so many last and first ones, or a list of them for each."""
    if isinstance(axes, (list, tuple)):
        axes = tuple(tuple(a) if isinstance(a, (list, tuple)) else a for a in axes)
    return jnp.tensordot(x1, x2, axes)


@op
def cross(
    x1: Array, x2: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: Any = None
) -> Any:
    """Cross product of vectors of size 2 or 3 along the given axes."""
    return jnp.cross(jnp.asarray(x1), jnp.asarray(x2), axisa, axisb, axisc, axis)


@operation("math", "CDist")
def cdist(x: Array, y: Array) -> Any:
    """Euclidean distances ``(…, m, n)`` between rows of `x` ``(…, m, d)`` and `y` ``(…, n, d)``.

    From ``|x|^2 + |y|^2 - 2 x·y``: one matrix product, and at no point ``m * n * d`` numbers.
    """
    x, y = as_float(x), as_float(y)
    squares = jnp.sum(x * x, -1)[..., :, None] + jnp.sum(y * y, -1)[..., None, :]
    distance = jnp.maximum(squares - 2 * jnp.matmul(x, jnp.swapaxes(y, -1, -2)), 0)
    apart = distance > 0  # the root's gradient is infinite at 0
    return jnp.where(apart, jnp.sqrt(jnp.where(apart, distance, 1)), 0)


@op
def correlate(x1: Array, x2: Array, mode: str = "valid") -> Any:
    """Cross-correlation of two vectors; `mode` is ``valid``, ``same`` or ``full``."""
    x1, x2 = jnp.asarray(x1), jnp.asarray(x2)
    return jnp.correlate(x1, x2, mode)


@op
def corrcoef(x: Array) -> Any:
    """Pearson's correlations between the rows of ``(variables, observations)``."""
    return jnp.corrcoef(as_float(x))
