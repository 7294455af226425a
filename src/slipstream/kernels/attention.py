"""Scaled dot-product attention."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native


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
    arrays = (query, key, value, mask, bias)
    how: dict[str, Any] = {"scale": float(scale), "causal": bool(causal)}
    if return_scores or dropout:
        outputs, scores = _scored(*arrays, **how, empty=empty, share=dropout, draw=dropout_key)
        return (outputs, scores) if return_scores else outputs
    if empty == "zero" or not _fits_cudnn(query, key, value):
        return _plain(*arrays, **how, empty=empty)
    return jax.lax.platform_dependent(
        *arrays,
        cuda=partial(fused, **how, implementation="cudnn"),
        default=partial(_plain, **how, empty=empty),
    )


def _plain(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    *,
    scale: float,
    causal: bool,
    empty: Literal["mean", "zero"],
) -> Any:
    """The outputs alone, without dropout."""
    if bias is None and (mask is None or mask.ndim <= 4) and scale > 0:
        spread = jnp.ones((0, 0, 0, 0), bool) if mask is None else _four_axes(mask)
        how = {"scale": scale, "causal": causal, "uniform": empty == "mean"}
        return _attention(query, key, value, spread, **how)[0]
    return _scored(query, key, value, mask, bias, scale=scale, causal=causal, empty=empty)[0]


def _scored(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    *,
    scale: float,
    causal: bool,
    empty: Literal["mean", "zero"],
    share: float = 0.0,
    draw: Any = None,
) -> tuple[Any, Any]:
    """Outputs and scores; of the scores that count, a share is dropped."""
    logits = _logits(query, key, scale)
    if bias is not None:
        logits = logits + bias
    if causal:
        mask = visible(*logits.shape[-2:]) if mask is None else mask & visible(*logits.shape[-2:])
    scores = masked_softmax(logits, mask, empty=empty).astype(query.dtype)
    kept = scores
    if share:
        keep = jax.random.bernoulli(draw, 1 - share, scores.shape)
        kept = jnp.where(keep, scores / (1 - share), jnp.zeros((), scores.dtype))
    return _mean(kept, value), scores


def _logits(query: Any, key: Any, scale: float) -> Any:
    """``(batch, heads, queries, keys)``, float32 at least."""
    batch, queries, heads, features = query.shape
    keys, key_heads = key.shape[1:3]
    grouped = query.reshape(batch, queries, key_heads, heads // key_heads, features)
    precise = jnp.promote_types(query.dtype, jnp.float32)
    logits = jnp.einsum("btkgd,bskd->bkgts", grouped, key, preferred_element_type=precise)
    return (logits * scale).reshape(batch, heads, queries, keys)


def _mean(scores: Any, value: Any) -> Any:
    """``(batch, queries, heads, value_features)``: the values weighed by the scores."""
    batch, heads, queries, keys = scores.shape
    key_heads, features = value.shape[2:]
    grouped = scores.reshape(batch, key_heads, heads // key_heads, queries, keys)
    outputs = jnp.einsum("bkgts,bskd->btkgd", grouped, value)
    return outputs.reshape(batch, queries, heads, features)


def _four_axes(mask: Any) -> Any:
    return mask.reshape((1,) * (4 - mask.ndim) + mask.shape)


def _reference(
    query: Any, key: Any, value: Any, mask: Any, *, scale: float, causal: bool, uniform: bool
) -> Any:
    logits = _logits(query, key, scale)
    shown = mask if mask.size else None
    if causal:
        seen = visible(*logits.shape[-2:])
        shown = seen if shown is None else shown & seen
    scores = masked_softmax(logits, shown, empty="mean" if uniform else "zero")
    total = jax.nn.logsumexp(logits if shown is None else jnp.where(shown, logits, -jnp.inf), -1)
    return (_mean(scores.astype(query.dtype), value),), (total,)


def _compiled(query: Any, key: Any, value: Any, mask: Any, *, save: bool, **how: Any) -> Any:
    batch, queries, heads, _ = query.shape
    results = [
        jax.ShapeDtypeStruct((batch, queries, heads, value.shape[-1]), query.dtype),
        jax.ShapeDtypeStruct((batch, heads, queries), jnp.float32),
    ]
    found = native.call("attention", results, query, key, value, mask, **how)
    return found if save else found[:1]


def _gradient(arrays: Any, saved: Any, cotangents: Any, **how: Any) -> Any:
    results = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays[:3]]
    return native.call("attention_gradient", results, *arrays, *saved, *cotangents, **how)


def _supports(query: Any, key: Any, value: Any, mask: Any, **how: Any) -> bool:
    filled = all(array.size for array in (query, key, value))
    return forms.floats(query, key, value) and filled


def _flops(query: Any, key: Any, value: Any, mask: Any, *, causal: bool, **how: Any) -> float:
    batch, queries, heads, features = query.shape
    keys = key.shape[1]
    seen = sum(min(keys, t + 1) for t in range(queries)) if causal else queries * keys
    return batch * heads * seen * (2.0 * (features + value.shape[-1]) + 6)  # 6 for the softmax


_attention = forms.differentiable(
    "attention",
    _reference,
    _compiled,
    _gradient,
    _supports,
    3,
    _flops,
    lambda *arrays, **how: 2 * _flops(*arrays, **how),
)


def fused(
    query: Any,
    key: Any,
    value: Any,
    mask: Any,
    bias: Any,
    *,
    scale: float,
    causal: bool,
    implementation: Literal["cudnn", "xla"],
) -> Any:
    """`attend` by one of JAX's own kernels; arguments as there."""
    lengths = (query.shape[1], key.shape[1])

    def spread(array: Any) -> Any:
        """Four axes, of which batch and heads may have size 1."""
        array = _four_axes(array)
        return jnp.broadcast_to(array, (*array.shape[:2], *lengths))

    sees = None
    if mask is not None:
        mask = spread(jnp.asarray(mask))
        sees = (mask & visible(*lengths) if causal else mask).any(-1, keepdims=True)
        # The kernel gives NaN for a query that sees nothing: it gets to see all, and no gradient.
        mask = mask | ~sees
    outputs = jax.nn.dot_product_attention(
        query,
        key,
        value,
        None if bias is None else spread(jnp.asarray(bias, query.dtype)),
        mask,
        scale=scale,
        is_causal=causal,
        implementation=implementation,
    )
    if sees is None:
        return outputs
    mean = value.mean(1, keepdims=True, dtype=jnp.float32).astype(value.dtype)
    mean = jnp.repeat(mean, query.shape[2] // key.shape[2], 2)
    return jnp.where(sees.swapaxes(1, 2), outputs, mean)


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
        and not any(length % 2 or length < 1 for length in (query.shape[1], key.shape[1]))
    )
