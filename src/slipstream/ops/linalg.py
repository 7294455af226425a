"""Linear algebra of matrices in the last two axes ``(…, rows, columns)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, Arrays, Index, operation
from slipstream.ops.define import as_axis, as_float, unary

op = operation("linalg")


def _matrix(name: str, function: Callable[..., Any], doc: str, home: str = "linalg") -> Any:
    return unary(name, lambda x: function(as_float(x)), doc, home)


det = _matrix("det", jnp.linalg.det, "Determinants of square matrices.")
inv = _matrix("inv", jnp.linalg.inv, "Inverses of square matrices.")
eig = _matrix("eig", lambda x: tuple(jnp.linalg.eig(x)), "Eigenvalues and eigenvectors; CPU only.")
eigh = _matrix(
    "eigh", lambda x: tuple(jnp.linalg.eigh(x)), "Eigenvalues and -vectors of symmetric matrices."
)
slogdet = _matrix(
    "slogdet",
    lambda x: tuple(jnp.linalg.slogdet(x)),
    "Sign and logarithm of the magnitude of determinants.",
    "numpy",
)
logdet = _matrix(
    "logdet",
    lambda x: jnp.linalg.slogdet(x)[1],
    "Logarithms of the determinants of positive definite matrices.",
    "math",
)
lu_factor = _matrix(
    "lu_factor",
    lambda x: tuple(jax.scipy.linalg.lu_factor(x)),
    "L and U in one matrix, and the row exchanges.",
)


@op
def cholesky(x: Array, upper: bool = False) -> Any:
    """The triangle L with ``L @ L.T == x``, or its transpose; x is symmetric, positive definite."""
    return jnp.linalg.cholesky(as_float(x), upper=upper)


@op
def cholesky_inverse(x: Array, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is `x`."""
    x = as_float(x)
    identity = jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    inverse = jax.scipy.linalg.solve_triangular(x, identity, lower=not upper)
    transposed = jnp.swapaxes(inverse, -1, -2)
    return inverse @ transposed if upper else transposed @ inverse


@op
def lstsq(a: Array, b: Array, rcond: float | None = None) -> Any:
    """The x with the smallest ``|a @ x - b|``; singular values below `rcond` count as 0."""
    return jnp.linalg.lstsq(as_float(a), as_float(b), rcond)[0]


@op
def matrix_rank(x: Array, tol: float | None = None) -> Any:
    """Number of singular values above `tol`, int32."""
    values = jnp.linalg.svd(as_float(x), compute_uv=False)
    least: Any = tol
    if tol is None:
        largest = values.max(-1, keepdims=True)
        least = largest * max(jnp.shape(x)[-2:]) * jnp.finfo(values.dtype).eps
    return jnp.sum(values > least, -1).astype(jnp.int32)


@op
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Norm of vectors (one axis) or matrices (two); of all elements if neither is said.

    Args:
        ord: as in ``numpy.linalg.norm``; the Euclidean or Frobenius norm if None.
    """
    return jnp.linalg.norm(as_float(x), ord, as_axis(axis), keepdims)


@op
def pinv(x: Array, rcond: float | None = None) -> Any:
    """Pseudo-inverses; singular values below `rcond` times the largest count as 0."""
    return jnp.linalg.pinv(as_float(x), rtol=rcond)


@op
def qr(x: Array, mode: str = "reduced") -> Any:
    """Orthogonal Q and upper triangle R with ``Q @ R == x``; ``reduced`` or ``complete``."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete'; got {mode!r}.")
    return tuple(jnp.linalg.qr(as_float(x), mode))


@op
def solve(a: Array, b: Array) -> Any:
    """The x with ``a @ x == b``; `b` is a vector or ``(…, n, columns)``."""
    a, b = as_float(a), as_float(b)
    if b.ndim == a.ndim - 1:
        return jnp.linalg.solve(a, b[..., None])[..., 0]
    return jnp.linalg.solve(a, b)


@op
def solve_triangular(a: Array, b: Array, lower: bool = False) -> Any:
    """`solve` for triangles, upper or lower."""
    a, b = as_float(a), as_float(b)
    if b.ndim == a.ndim - 1:
        return jax.scipy.linalg.solve_triangular(a, b[..., None], lower=lower)[..., 0]
    return jax.scipy.linalg.solve_triangular(a, b, lower=lower)


@operation("linalg", "SVD")
def svd(x: Array, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """``U, S, Vh`` with ``U @ diag(S) @ Vh == x``, or the singular values S alone."""
    found = jnp.linalg.svd(as_float(x), full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


@operation("linalg", "JVP")
def jvp(fun: Index, primals: Arrays, tangents: Arrays, has_aux: bool = False) -> Any:
    """``fun(*primals)`` and its derivative in the direction of `tangents`."""
    return jax.jvp(fun, tuple(primals), tuple(tangents), has_aux=has_aux)
