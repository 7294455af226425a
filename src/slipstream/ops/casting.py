"""Types of arrays, and the way in and out."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import config
from slipstream.core.operation import Array, operation
from slipstream.core.symbol import SymbolicTensor
from slipstream.core.variable import Variable

op = operation("core")


@op
def cast(x: Array, dtype: Any) -> Any:
    """The same values in another type; floats lose their fraction in a whole-number type."""
    return jnp.asarray(x).astype(dtype)


@op
def saturate_cast(x: Array, dtype: Any) -> Any:
    """The same values in another type; what does not fit becomes the nearest that does."""
    x, dtype = jnp.asarray(x), jnp.dtype(dtype)
    if dtype == jnp.bool_ or x.dtype == jnp.bool_:
        return x.astype(dtype)
    limits, own = (
        jnp.iinfo(t) if jnp.issubdtype(t, jnp.integer) else jnp.finfo(t) for t in (dtype, x.dtype)
    )
    low, high = max(float(limits.min), float(own.min)), min(float(limits.max), float(own.max))
    if jnp.issubdtype(x.dtype, jnp.floating):
        # The last float that a whole-number type can hold, as 2**31 - 1 is no float32.
        edge = np.asarray(high, x.dtype)
        if float(edge) > high:
            edge = np.nextafter(edge, np.asarray(0, x.dtype))
        return jnp.clip(x, np.asarray(low, x.dtype), edge).astype(dtype)
    return jnp.clip(x, int(low), int(high)).astype(dtype)


@operation("numpy")
def view(x: Array, dtype: Any = None) -> Any:
    """The same bits read as another type."""
    return jnp.asarray(x).view(dtype)


@operation("core")
def convert_to_tensor(x: Array, dtype: Any = None, sparse: Any = None, ragged: Any = None) -> Any:
    """`x` as an array, floats of plain Python in the default float type.

    Raises:
        ValueError: if `sparse` or `ragged` is asked for.
    """
    if sparse or ragged:
        raise ValueError("Sparse and ragged arrays are not supported: pass a dense array.")
    if dtype is None and isinstance(x, float):
        dtype = config.floatx()
    return jnp.asarray(x, dtype)


@operation("core")
def stop_gradient(variable: Array) -> Any:
    """The same values, constant for every gradient."""
    return jax.lax.stop_gradient(variable)


def convert_to_numpy(x: Any) -> np.ndarray:
    """`x` as a NumPy array on the host."""
    return np.asarray(x)


def array(x: Any, dtype: Any = None) -> Any:
    """`x` as an array."""
    return convert_to_tensor(x, dtype)


def is_tensor(x: Any) -> bool:
    """Whether `x` is an array of the engine, or a symbolic tensor."""
    return isinstance(x, (jax.Array, SymbolicTensor))


def dtype(x: Any) -> str:
    """Name of the element type."""
    if isinstance(x, (SymbolicTensor, Variable)):
        return x.dtype
    return jnp.dtype(getattr(x, "dtype", None) or jnp.result_type(x)).name


def shape(x: Any) -> tuple[int | None, ...]:
    """Sizes of the axes, None where a symbolic tensor does not know them."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


@operation("numpy")
def ndim(x: Array) -> Any:
    """Number of axes."""
    return jnp.ndim(x)


@operation("numpy")
def size(x: Array) -> Any:
    """Number of elements."""
    return jnp.size(x)
