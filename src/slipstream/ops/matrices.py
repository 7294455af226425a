"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, operation

op = operation("numpy")


@op
def diag(x: Array, k: int = 0) -> Any:
    """Diagonal `k` of a matrix, or the matrix with this vector on diagonal `k`."""
    return jnp.diag(jnp.asarray(x), k)


@op
def diagflat(x: Array, k: int = 0) -> Any:
    """The matrix with all elements of `x` on diagonal `k`."""
    return jnp.diagflat(jnp.asarray(x), k)


@op
def diagonal(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Diagonals over two axes, as a new last axis."""
    return jnp.diagonal(jnp.asarray(x), offset, axis1, axis2)


@op
def trace(x: Array, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """Sum of a diagonal over two axes."""
    return jnp.trace(jnp.asarray(x), offset, axis1, axis2)


@op
def tril(x: Array, k: int = 0) -> Any:
    """0 above diagonal `k` of the last two axes."""
    return jnp.tril(jnp.asarray(x), k)


@op
def triu(x: Array, k: int = 0) -> Any:
    """0 below diagonal `k` of the last two axes."""
    return jnp.triu(jnp.asarray(x), k)


@op
def vander(x: Array, N: int | None = None, increasing: bool = False) -> Any:
    """``(size, N)`` powers of each element: a Vandermonde matrix."""
    return jnp.vander(jnp.asarray(x), N, increasing)
