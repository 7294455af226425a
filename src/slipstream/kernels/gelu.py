"""`x` times the normal distribution function of `x`, each element by itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def gelu(x: Any, approximate: bool) -> Any:
    """GELU (Hendrycks & Gimpel 2016) of floats of any shape.

    Args:
        x: array of floats.
        approximate: use the tanh approximation.
    """
    return _gelu(x, approximate=approximate)[0]


def _reference(x: Any, *, approximate: bool) -> Any:
    # The slope is saved for the compiled gradient only; the plain one differentiates.
    return (jax.nn.gelu(x, approximate),), (jnp.zeros_like(x),)


def _compiled(x: Any, *, save: bool, approximate: bool) -> Any:
    result = jax.ShapeDtypeStruct(x.shape, x.dtype)
    if save:
        return native.call("gelu_saving", [result, result], x, approximate=approximate)
    return (native.call("gelu", result, x, approximate=approximate),)


def _gradient(arrays: Any, saved: Any, cotangents: Any, *, approximate: bool) -> Any:
    return (saved[0] * cotangents[0],)


def _supports(x: Any, *, approximate: bool) -> bool:
    return forms.floats(x) and x.size > 0


_gelu = forms.differentiable(
    "gelu", _reference, _compiled, _gradient, _supports, inputs=1, quick=True
)
