"""What a product or convolution does to its sums before it stores them: scale, bias, ReLU.

By themselves these would read and write all results once more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad

from slipstream.kernels import forms

AS_THEY_ARE = -1.0  # for results that have no least and no greatest value


def top_of(relu: bool) -> float:
    """The greatest value of results that are at least 0, where there is ReLU."""
    return math.inf if relu else AS_THEY_ARE


def finished(
    name: str,
    bilinear: Primitive,
    reference: forms.Form,
    compiled: forms.Form,
    supports: Callable[..., bool],
    flops: Callable[..., float],
    contested: Callable[..., bool] | None = None,
) -> Primitive:
    """``(one, other, bias, *, relu, …)``: an operation, a bias along the last axis, and ReLU.

    Args:
        name: the primitive's name.
        bilinear: the operation of `one` and `other`.
        reference: its plain form.
        compiled: like the result; further parameters are the operation's.
        supports, flops, contested: the operation's; see `forms.operation`.
    """

    def plain(one: Any, other: Any, bias: Any, *, relu: bool, **parameters: Any) -> Any:
        sums = reference(one, other, **parameters) + bias
        return jnp.maximum(sums, 0) if relu else sums

    def fits(one: Any, other: Any, bias: Any, *, relu: bool, **parameters: Any) -> bool:
        return forms.floats(one, bias) and supports(one, other, **parameters)

    def cost(one: Any, other: Any, bias: Any, *, relu: bool, **parameters: Any) -> float:
        sums = jax.eval_shape(partial(reference, **parameters), one, other)
        return flops(one, other, **parameters) + sums.size * (1 + relu)

    def raced(one: Any, other: Any, bias: Any, *, relu: bool, **parameters: Any) -> bool:
        return contested is not None and contested(one, other, **parameters)

    primitive = forms.operation(name, plain, compiled, fits, flops=cost, contested=raced)

    def differentiated(primals: Any, tangents: Any, *, relu: bool, **parameters: Any) -> Any:
        (one, other, bias), (d_one, d_other, d_bias) = primals, tangents
        outputs = primitive.bind(one, other, bias, relu=relu, **parameters)
        parts = []
        if not isinstance(d_one, ad.Zero):
            parts.append(bilinear.bind(d_one, other, **parameters))
        if not isinstance(d_other, ad.Zero):
            parts.append(bilinear.bind(one, d_other, **parameters))
        if not isinstance(d_bias, ad.Zero):
            parts.append(jnp.broadcast_to(d_bias, outputs.shape))
        if not parts:
            return outputs, forms.no_tangent(outputs)
        tangent = sum(parts[1:], parts[0])
        return outputs, jnp.where(outputs > 0, tangent, 0) if relu else tangent

    ad.primitive_jvps[primitive] = differentiated
    return primitive


def scaled(
    name: str,
    bilinear: Primitive,
    compiled: forms.Form,
    supports: Callable[..., bool],
    flops: Callable[..., float],
    contested: Callable[..., bool] | None = None,
) -> Primitive:
    """``(one, other, scale, bias, *, top, …)``: as `finished`, with a number for each bias before.

    Results lie from 0 to `top`, or are as they are if it is negative. What is differentiated is
    the operation and the rest, one after the other.

    Args:
        name, bilinear, supports, flops, contested: as for `finished`.
        compiled: like the result; further parameters are the operation's.
    """

    def plain(one: Any, other: Any, scale: Any, bias: Any, *, top: float, **kept: Any) -> Any:
        results = bilinear.bind(one, other, **kept) * scale + bias
        if top >= 0:
            results = jnp.maximum(results, 0)
        return jnp.minimum(results, top) if 0 <= top < math.inf else results

    def fits(one: Any, other: Any, scale: Any, bias: Any, *, top: float, **kept: Any) -> bool:
        return forms.floats(one, scale, bias) and supports(one, other, **kept)

    def cost(one: Any, other: Any, scale: Any, bias: Any, *, top: float, **kept: Any) -> float:
        sums = jax.eval_shape(partial(bilinear.bind, **kept), one, other)
        return flops(one, other, **kept) + sums.size * (2 + (top >= 0))

    def raced(one: Any, other: Any, scale: Any, bias: Any, *, top: float, **kept: Any) -> bool:
        return contested is not None and contested(one, other, **kept)

    return forms.operation(name, plain, compiled, fits, flops=cost, contested=raced)
