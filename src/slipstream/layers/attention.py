"""Attention without projections: dot-product and additive."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.random import layer_key
from slipstream.core.registry import register
from slipstream.kernels.attention import masked_softmax, visible
from slipstream.kernels.batched import batched_product


class ReturnsScores(Layer):
    """A layer that hands out its attention scores when asked to."""

    def _known_output_shape(self, args: tuple, kwargs: dict) -> Any:
        if kwargs.get("return_attention_scores"):
            return None  # two outputs: their shapes are found by tracing
        return super()._known_output_shape(args, kwargs)


@register("layer")
class Attention(ReturnsScores):
    """Mean of the values, weighed by how well their keys fit the query (Luong et al. 2015).

    Args:
        use_scale: whether to learn a factor `scale` on the scores.
        score_mode: ``"dot"`` for dot products, ``"concat"`` for a learned multiple of the sum of
            ``tanh(query + key)``.
        dropout: share of the scores to drop while training.
        seed: makes this layer's draws independent of its place in the model.

    Called on a list of query ``(batch, queries, features)``, value ``(batch, keys, values)`` and,
    if it is not the value itself, key ``(batch, keys, features)``; masks likewise. The output is
    ``(batch, queries, values)``.

    Raises:
        ValueError: if `score_mode` is unknown, or the inputs or masks are no such list.
    """

    per_example = True
    supports_masking = True

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                f"Attention layer {self.name!r}: score_mode must be 'dot' or 'concat'; "
                f"got {score_mode!r}."
            )
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = dropout
        self.seed = seed

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        self._check_list(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((), "ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight((), "ones", name="concat_score_weight")

    def _check_list(self, inputs: Any) -> None:
        if not isinstance(inputs, (list, tuple)) or len(inputs) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} is called on a list of 2 or 3 inputs, "
                f"[query, value] or [query, value, key]; got {_shown(inputs)}."
            )

    def _scores(self, query: Any, key: Any) -> Any:
        """Scores ``(batch, queries, keys)`` before the softmax."""
        scale = self.scale.value if self.use_scale else None
        if self.score_mode == "dot":
            scores = batched_product(query, key, right_turned=True)
            return scores if scale is None else scores * scale
        sums = query[:, :, None] + key[:, None]
        sums = sums if scale is None else scale * sums
        return self.concat_score_weight.value * jnp.sum(jnp.tanh(sums), axis=-1)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Attend; with `return_attention_scores` the scores ``(batch, queries, keys)`` follow."""
        self._check_list(inputs)
        query, value = inputs[:2]
        query_mask, value_mask = self._masks_of(mask)
        scores = self._scores(query, inputs[2] if len(inputs) == 3 else value)
        seen = None if value_mask is None else value_mask[:, None, :]
        if use_causal_mask:
            past = visible(*scores.shape[1:])[None]
            seen = past if seen is None else past & seen
        precise = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
        scores = masked_softmax(precise, seen).astype(scores.dtype)
        if training and self.dropout:
            keep = jax.random.bernoulli(layer_key(self, self.seed), 1 - self.dropout, scores.shape)
            scores = jnp.where(keep, scores / (1 - self.dropout), jnp.zeros((), scores.dtype))
        outputs = batched_product(scores, value)
        if query_mask is not None:
            outputs = outputs * query_mask[..., None].astype(outputs.dtype)
        return (outputs, scores) if return_attention_scores else outputs

    def _masks_of(self, mask: Any) -> tuple[Any, Any]:
        """Masks of query and value, as bool arrays."""
        if mask is None:
            return None, None
        if not isinstance(mask, (list, tuple)) or len(mask) not in (2, 3):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: mask is a list of 2 or 3 masks, "
                f"[query_mask, value_mask]; got {_shown(mask)}."
            )
        query, value = (None if one is None else jnp.asarray(one, bool) for one in mask[:2])
        return query, value

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The query's mask."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, queries, value_features)``."""
        return (*input_shape[0][:-1], input_shape[1][-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


@register("layer")
class AdditiveAttention(Attention):
    """Attention with the scores ``sum(scale * tanh(query + key))`` (Bahdanau et al. 2015).

    Args:
        use_scale: whether to learn `scale`, ``(features,)``; else it is 1.
        dropout: share of the scores to drop while training.

    Inputs, masks and output are as in `Attention`.
    """

    per_example = True

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Create the scale."""
        self._check_list(input_shape)
        if self.use_scale:
            self.scale = self.add_weight((input_shape[0][-1],), "glorot_uniform", name="scale")

    def _scores(self, query: Any, key: Any) -> Any:
        """Scores ``(batch, queries, keys)`` before the softmax."""
        sums = jnp.tanh(query[:, :, None] + key[:, None])
        return jnp.sum(sums * self.scale.value if self.use_scale else sums, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        config = super().get_config()
        del config["score_mode"]
        return config


def _shown(inputs: Any) -> str:
    if isinstance(inputs, (list, tuple)):
        return f"{len(inputs)} of them" if not _is_shape(inputs) else f"shape {tuple(inputs)}"
    return f"an array of shape {getattr(inputs, 'shape', None)}"


def _is_shape(value: Any) -> bool:
    return all(size is None or isinstance(size, int) for size in value)
