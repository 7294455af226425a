"""A product or convolution that adds a bias and cuts off negative numbers before it stores.

By themselves these would read and write all results once more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad

from slipstream.kernels import forms


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
