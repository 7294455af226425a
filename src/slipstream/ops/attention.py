"""Attention."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.operation import Array, Index, operation
from slipstream.kernels.attention import attend
from slipstream.ops.define import as_float


@operation("nn", named=["bias", "mask", "scale"])
def dot_product_attention(
    query: Array,
    key: Array,
    value: Array,
    bias: Array | None = None,
    mask: Array | None = None,
    scale: Index = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Mean of the values, weighed by ``softmax(scale * query @ key + bias)`` (Vaswani et al. 2017).

    Args:
        query: ``(batch, queries, heads, features)``.
        key, value: ``(batch, keys, key_heads, features)``; `key_heads` divides `heads`.
        bias: added to the logits ``(batch, heads, queries, keys)``, broadcast.
        mask: bool, broadcast likewise; False hides a key.
        scale: ``1 / sqrt(features)`` if not given.
        is_causal: whether query i sees keys up to i only.
        flash_attention: kept for Keras' signature; the kernel is chosen by platform and shapes.

    Returns:
        ``(batch, queries, heads, features)``.

    Raises:
        ValueError: if the inputs have not four axes, or `attn_logits_soft_cap` is given.
    """
    if attn_logits_soft_cap is not None:
        raise ValueError("dot_product_attention: attn_logits_soft_cap is not supported.")
    query, key, value = as_float(query), as_float(key), as_float(value)
    if not query.ndim == key.ndim == value.ndim == 4:
        raise ValueError(
            "dot_product_attention wants query, key and value (batch, positions, heads, "
            f"features); got shapes {query.shape}, {key.shape} and {value.shape}."
        )
    if mask is not None:
        mask = jnp.asarray(mask, bool)
    return attend(query, key, value, mask=mask, bias=bias, scale=scale, causal=is_causal)
