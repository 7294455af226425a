"""Scaled dot-product attention."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp


def attend(
    query: Any,
    key: Any,
    value: Any,
    *,
    mask: Any = None,
    bias: Any = None,
    scale: float | None = None,
    causal: bool = False,
    dropout: float = 0.0,
    dropout_key: Any = None,
    empty: Literal["mean", "zero"] = "mean",
    return_scores: bool = False,
) -> Any:
    """Mean of the values, weighed by ``softmax(scale * query @ key + bias)`` (Vaswani et al. 2017).

    Args:
        query: ``(batch, queries, heads, features)``.
        key: ``(batch, keys, key_heads, features)``; `key_heads` divides `heads`, and each of its
            heads serves a run of ``heads / key_heads`` query heads.
        value: ``(batch, keys, key_heads, value_features)``.
        mask: bool, broadcasting to ``(batch, heads, queries, keys)``; False hides a key.
        bias: added to the logits, broadcasting likewise.
        scale: ``1 / sqrt(features)`` if not given.
        causal: whether query `i` sees keys up to `i` only.
        dropout: share of the scores to drop, with `dropout_key`.
        empty: what a query gets that sees no key: the plain mean of the values, or zeros.
        return_scores: whether to return the scores too, as they were before dropout.

    Returns:
        ``(batch, queries, heads, value_features)`` in the query's type, and with `return_scores`
        the scores ``(batch, heads, queries, keys)``. Logits and softmax are float32 at least.
    """
    if scale is None:
        scale = query.shape[-1] ** -0.5
    if not (return_scores or dropout or empty == "zero") and _fits_cudnn(query, key, value):
        return fused(query, key, value, mask, bias, scale, causal, "cudnn")
    batch, queries, heads, features = query.shape
    keys, key_heads = key.shape[1:3]
    shape = (batch, key_heads, heads // key_heads, queries, keys)
    grouped = query.reshape(batch, queries, key_heads, heads // key_heads, features)
    precise = jnp.promote_types(query.dtype, jnp.float32)
    logits = jnp.einsum("btkgd,bskd->bkgts", grouped, key, preferred_element_type=precise)
    logits = (logits * scale).reshape(batch, heads, queries, keys)
    if bias is not None:
        logits = logits + bias
    if causal:
        mask = visible(queries, keys) if mask is None else mask & visible(queries, keys)
    scores = masked_softmax(logits, mask, empty=empty).astype(query.dtype)
    kept = scores
    if dropout:
        keep = jax.random.bernoulli(dropout_key, 1 - dropout, scores.shape)
        kept = jnp.where(keep, scores / (1 - dropout), jnp.zeros((), scores.dtype))
    outputs = jnp.einsum("bkgts,bskd->btkgd", kept.reshape(shape), value)
    outputs = outputs.reshape(batch, queries, heads, value.shape[-1])
    return (outputs, scores) if return_scores else outputs


def fused(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    scale: float,
    causal: bool,
    implementation: Literal["cudnn", "xla"],
) -> Any:
    """`attend` by one of JAX's own kernels; arguments as there."""
    lengths = (query.shape[1], key.shape[1])

    def spread(array: Any) -> Any:
        """Four axes, of which batch and heads may have size 1."""
        array = array.reshape((1,) * (4 - array.ndim) + array.shape)
        return jnp.broadcast_to(array, (*array.shape[:2], *lengths))

    return jax.nn.dot_product_attention(
        query,
        key,
        value,
        None if bias is None else spread(jnp.asarray(bias, query.dtype)),
        None if mask is None else spread(jnp.asarray(mask)),
        scale=scale,
        is_causal=causal,
        implementation=implementation,
    )


def visible(queries: int, keys: int) -> Any:
    """``(queries, keys)`` bool: query `i` sees keys up to `i`."""
    return jnp.tri(queries, keys, dtype=bool)


def masked_softmax(logits: Any, mask: Any = None, *, empty: str = "mean") -> Any:
    """Softmax over the last axis of the entries where `mask` holds, 0 elsewhere.

    A row without any is uniform, or with ``empty="zero"`` zero; its gradient is 0 either way.
    """
    if mask is None:
        return jax.nn.softmax(logits, axis=-1)
    # Finite, so that a row of nothing else has differences of 0 and not of infinities.
    low = -0.7 * float(jnp.finfo(logits.dtype).max)
    scores = jax.nn.softmax(jnp.where(mask, logits, low), axis=-1)
    return jnp.where(mask, scores, 0) if empty == "zero" else scores


def _fits_cudnn(query: Any, key: Any, value: Any) -> bool:
    """Whether cuDNN's fused kernel takes these arrays, on the device that programs run on."""
    features = query.shape[-1]
    return (
        jax.default_backend() == "gpu"
        and query.dtype in (jnp.float16, jnp.bfloat16)
        and query.dtype == key.dtype == value.dtype
        and features == value.shape[-1]
        and features % 8 == 0
        and features <= 128
        and min(query.shape[1], key.shape[1]) > 1
    )
