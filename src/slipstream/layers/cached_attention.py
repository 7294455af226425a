"""Attention that keeps the keys and values it has seen."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.multi_head_attention import MultiHeadAttention


@register("layer")
class CachedMultiHeadAttention(MultiHeadAttention):
    """`MultiHeadAttention` that can take keys and values from a cache and add to it.

    A cache is a pair of keys and values, each ``(batch, length, heads, features)``. Arguments are
    those of `MultiHeadAttention`.
    """

    per_example = True

    def empty_cache(self, batch: int, length: int) -> tuple[Any, Any]:
        """A cache for so many rows and places."""
        return tuple(
            jnp.zeros((batch, length, self._key_heads, size), self.compute_dtype)
            for size in (self._key_dim, self._value_dim)
        )  # type: ignore[return-value]

    def project(self, value: Any, key: Any = None) -> tuple[Any, Any]:
        """The cache that holds just these inputs, ``(batch, length, features)``."""
        return (
            self._project("key", value if key is None else key),
            self._project("value", value),
        )

    def call(  # type: ignore[override]
        self,
        query: Any,
        value: Any,
        key: Any = None,
        attention_mask: Any = None,
        cache: Any = None,
        cache_update_index: Any = None,
        use_causal_mask: bool = False,
        training: bool = False,
    ) -> Any:
        """Attend.

        Args:
            query, value, key, attention_mask: as in `MultiHeadAttention`; with a cache the mask's
                keys are the cache's places.
            cache: keys and values to attend over in place of `value`.
            cache_update_index: place in the cache at which keys and values of `value` are put
                first, and at which the query begins; nothing is put there if not given.
            use_causal_mask: whether a query sees no place after its own.

        Returns:
            ``(batch, queries, output_features)``; with a cache, the cache as it is now too.
        """
        causal = use_causal_mask
        first: Any = 0
        if cache is None or cache_update_index is not None:
            keys, values = self.project(value, key)
        if cache is not None:
            if cache_update_index is not None:
                start = (0, cache_update_index, 0, 0)
                keys, values = (
                    jax.lax.dynamic_update_slice(old, new.astype(old.dtype), start)
                    for old, new in zip(cache, (keys, values))
                )
                first = cache_update_index
            else:
                keys, values = cache
            if causal:
                places = jnp.arange(query.shape[1]) + first
                past = (jnp.arange(keys.shape[1]) <= places[:, None])[None]
                attention_mask = past if attention_mask is None else past & attention_mask
                causal = False
        mask = self._mask(query, keys, None, None, None, attention_mask, first)
        heads = self._project("query", query)
        outputs, _ = self._attend(heads, keys, values, mask, causal, training, False)
        outputs = self._finish(query, outputs)
        return outputs if cache is None else (outputs, (keys, values))
