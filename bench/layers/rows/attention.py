"""Attention, transformer blocks and positions."""

from __future__ import annotations

from bench.layers.rows.row import Row

_TOKENS = (8, 128, 256)
_HEADS = {"num_heads": 8, "key_dim": 32}
_GROUPS = {"head_dim": 32, "num_query_heads": 8, "num_key_value_heads": 2}
_BLOCK = {"num_heads": 8, "intermediate_dim": 1024}

ROWS = [
    Row("Attention", "query and value", _TOKENS, inputs=2),
    Row("AdditiveAttention", "query and value", (8, 64, 128), inputs=2),
    Row("MultiHeadAttention", "8 heads", _TOKENS, _HEADS, twice=True),
    Row("MultiHeadAttention", "8 heads, causal", _TOKENS, _HEADS, {"use_causal_mask": True},
        twice=True),
    Row("GroupQueryAttention", "8 heads, 2 of keys", _TOKENS, _GROUPS, twice=True),
    Row("TransformerEncoder", "8 heads, 256-1024-256", _TOKENS, _BLOCK),
    # Not relu: where it bends, one element that rounds differently changes gradients by 3 %.
    Row("TransformerDecoder", "8 heads, 256-1024-256, gelu", _TOKENS,
        {**_BLOCK, "activation": "gelu"}),
    Row("TokenAndPositionEmbedding", "20000 words, 128 features", (64, 128),
        {"vocabulary_size": 20_000, "sequence_length": 128, "embedding_dim": 128}, ids=20_000),
    Row("RotaryEmbedding", "8 heads", (8, 128, 8, 32)),
]  # fmt: skip
