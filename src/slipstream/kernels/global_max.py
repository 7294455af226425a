"""The maximum over all positions of each channel."""

from __future__ import annotations

from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def global_max(x: Any) -> Any:
    """Largest of each channel of ``(batch, *spatial, channels)``: ``(batch, channels)``.

    Equal ones share the gradient.
    """
    flat = x.reshape(x.shape[0], prod(x.shape[1:-1]), x.shape[-1])
    return _largest(flat)[0] if jnp.issubdtype(x.dtype, jnp.floating) else jnp.max(flat, 1)


def _reference(x: Any) -> Any:
    y = jnp.max(x, 1)
    return (y,), (y,)


def _compiled(x: Any, *, save: bool) -> Any:
    y = native.call("global_max", jax.ShapeDtypeStruct((x.shape[0], x.shape[2]), x.dtype), x)
    return (y, y) if save else (y,)


def _gradient(arrays: Any, saved: Any, cotangents: Any) -> Any:
    (x,) = arrays
    result = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return (native.call("global_max_gradient", result, x, *saved, *cotangents),)


def _supports(x: Any) -> bool:
    return forms.floats(x) and x.size > 0 and x.shape[-1] >= 8


_largest = forms.differentiable("global_max", _reference, _compiled, _gradient, _supports, inputs=1)
