"""New arrays. Their type is the default float type unless said otherwise."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, operation

op = operation("numpy")


def _type(dtype: Any) -> Any:
    return dtype or config.floatx()


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros."""
    return jnp.zeros(shape, _type(dtype))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones."""
    return jnp.ones(shape, _type(dtype))


def empty(shape: Any, dtype: Any = None) -> Any:
    """An array whose values mean nothing (they are zeros)."""
    return jnp.empty(shape, _type(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """`fill_value` everywhere."""
    return jnp.full(shape, fill_value, _type(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """``(N, M)`` with ones on the diagonal `k` above the main one."""
    return jnp.eye(N, M, k, dtype=_type(dtype))


def identity(n: int, dtype: Any = None) -> Any:
    """The ``(n, n)`` identity matrix."""
    return jnp.identity(n, _type(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """``(N, M)`` with ones on and below the diagonal `k`."""
    return jnp.tri(N, M, k, dtype=_type(dtype))


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """``start, start + step, …`` up to but without `stop`; from 0 if there is one number only.

    The type follows from the numbers: int32 for whole ones, the default float type else.
    """
    if dtype is None:
        kinds = [getattr(v, "dtype", type(v)) for v in (start, stop, step) if v is not None]
        whole = jnp.issubdtype(jnp.result_type(*kinds), jnp.integer)
        dtype = "int32" if whole else config.floatx()
    return jnp.arange(start, stop, step, dtype=dtype)


@op
def zeros_like(x: Array, dtype: Any = None) -> Any:
    """Zeros of `x`'s shape and type."""
    return jnp.zeros_like(x, dtype=dtype)


@op
def ones_like(x: Array, dtype: Any = None) -> Any:
    """Ones of `x`'s shape and type."""
    return jnp.ones_like(x, dtype=dtype)


@op
def empty_like(x: Array, dtype: Any = None) -> Any:
    """An array of `x`'s shape and type whose values mean nothing."""
    return jnp.empty_like(x, dtype=dtype)


@op
def full_like(x: Array, fill_value: Array, dtype: Any = None) -> Any:
    """`fill_value` everywhere, in `x`'s shape and type."""
    return jnp.full_like(x, fill_value, dtype=dtype)


@op
def linspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal distances from `start` to `stop`.

    Args:
        endpoint: whether `stop` is the last of them.
        retstep: give the distance too.
        axis: place of the new axis, where `start` and `stop` are arrays.
    """
    return jnp.linspace(start, stop, num, endpoint, retstep, dtype, axis)


@op
def logspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    base: float = 10,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """``base ** linspace(start, stop, num)``."""
    return jnp.logspace(start, stop, num, endpoint, base, dtype, axis)


@op
def geomspace(
    start: Array,
    stop: Array,
    num: int = 50,
    endpoint: bool = True,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """`num` numbers at equal ratios from `start` to `stop`."""
    return jnp.geomspace(start, stop, num, endpoint, dtype, axis)


@op
def bartlett(x: Array) -> Any:
    """Triangular window of `x` points."""
    return jnp.bartlett(int(x)).astype(config.floatx())


@op
def blackman(x: Array) -> Any:
    """Blackman window of `x` points."""
    return jnp.blackman(int(x)).astype(config.floatx())


@op
def hamming(x: Array) -> Any:
    """Hamming window of `x` points."""
    return jnp.hamming(int(x)).astype(config.floatx())


@op
def hanning(x: Array) -> Any:
    """Hann window of `x` points."""
    return jnp.hanning(int(x)).astype(config.floatx())


@op
def kaiser(x: Array, beta: Any) -> Any:
    """Kaiser window of `x` points with shape parameter `beta`."""
    return jnp.kaiser(int(x), beta).astype(config.floatx())
