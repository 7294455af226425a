"""Pictures of a batch mixed with each other: two blended, or a part of one put into another."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


def blend(images: Any, weights: Any, order: Any) -> Any:
    """Each image with another one.

    Args:
        images: ``(batch, …)`` floats.
        weights: ``(batch,)`` shares of the image itself, of the images' type.
        order: ``(batch,)`` rows of the others.
    """
    return _blend.bind(images, weights, order)


def paste(images: Any, order: Any, area: tuple[Any, Any]) -> Any:
    """Each image, and what another one has where chosen rows and columns cross.

    Args:
        images: ``(batch, height, width, channels)``.
        order: as for `blend`.
        area: rows ``(batch, height)`` and columns ``(batch, width)``, True where chosen.
    """
    return _paste.bind(images, order, *area)


def crossing(area: tuple[Any, Any]) -> Any:
    """Rows and columns as a mask ``(batch, height, width, 1)``, True where both are."""
    rows, columns = area
    return rows[:, :, None, None] & columns[:, None, :, None]


@jax.custom_jvp
def put(area: tuple[Any, Any], others: Any, images: Any) -> Any:
    """`images`, and where the rows and columns of `area` cross, `others`.

    On float32 bits are chosen, as a CPU's vectors do; a choice between two pictures would become a
    jump for each number.
    """
    if images.dtype != jnp.float32:
        return jnp.where(crossing(area), others, images)
    # Roots count as dear to the compiler, so it takes these of 0 and 1 once, not for each pixel.
    rows, columns = (jnp.sqrt(chosen.astype(jnp.float32)) for chosen in area)
    ones = -(rows[:, :, None, None] * columns[:, None, :, None]).astype("int32")
    old, new = (jax.lax.bitcast_convert_type(pictures, "int32") for pictures in (images, others))
    return jax.lax.bitcast_convert_type(old ^ ((old ^ new) & ones), jnp.float32)


@put.defjvp
def _tangent(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """Bits have no gradient, so it goes by the choice that they stand for."""
    return put(*primals), jnp.where(crossing(primals[0]), *tangents[1:])


def _partners(images: Any, order: Any) -> Any:
    return images.at[order].get(mode="promise_in_bounds", wrap_negative_indices=False)


def _blended(images: Any, weights: Any, order: Any) -> Any:
    weights = weights.reshape(-1, *(1,) * (images.ndim - 1))
    return weights * images + (1 - weights) * _partners(images, order)


def _pasted(images: Any, order: Any, rows: Any, columns: Any) -> Any:
    return put((rows, columns), _partners(images, order), images)


def _blend_compiled(images: Any, weights: Any, order: Any) -> Any:
    result = jax.ShapeDtypeStruct(images.shape, images.dtype)
    return native.call("blend", result, images, order, weights)


def _paste_compiled(images: Any, order: Any, rows: Any, columns: Any) -> Any:
    result = jax.ShapeDtypeStruct(images.shape, images.dtype)
    return native.call("paste", result, images, order, rows, columns)


def _blend_fits(images: Any, weights: Any, order: Any) -> bool:
    floats = images.dtype == weights.dtype == "float32"
    return floats and order.dtype == "int32" and images.size > 0


def _paste_fits(images: Any, order: Any, rows: Any, columns: Any) -> bool:
    return images.dtype == "float32" and order.dtype == "int32" and images.size > 0


_blend = forms.operation("blend", _blended, _blend_compiled, _blend_fits, quick=True)
_paste = forms.operation("paste", _pasted, _paste_compiled, _paste_fits, quick=True)
