"""`CrossAttentionFusion`: tokens of one input attend to those of the others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion
from slipstream.layers.fusion.film import place_of
from slipstream.layers.multi_head_attention import MultiHeadAttention
from slipstream.layers.normalization import LayerNormalization


@register("layer")
class CrossAttentionFusion(Fusion):
    """``norm(q + attention(q, tokens))`` over the tokens of all other inputs.

    Each input is projected to `units` and gets a learned vector that tells which modality it is.
    Without a target, the query is one learned vector, which attends to all inputs (a Perceiver's
    latent; Jaegle et al., 2021): the output is ``(batch, units)``. With one, each of its tokens
    attends to the tokens of the others (Tsai et al., 2019), and the output has its length:
    ``(batch, time, units)``, or ``(batch, units)`` for a vector.

    Args:
        units: size of the output's last axis.
        num_heads: number of heads; divides `units`.
        target: the place or key of the input that asks; a learned query if not given.
        dropout: share of attention scores to drop while training.

    Inputs are vectors ``(batch, features)`` or sequences ``(batch, time, features)`` of any
    lengths. See `Fusion` for what is missing, padding of sequences included; where nothing is
    there to attend to, only the query remains.

    Raises:
        ValueError: if the heads do not divide `units`, there is no such target, or the shapes do
            not fit.
    """

    per_example = True
    supports_masking = True

    def __init__(
        self,
        units: int,
        num_heads: int = 4,
        target: int | str | None = None,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = self._count("units", units)
        self.num_heads = self._count("num_heads", num_heads)
        if units % num_heads:
            raise ValueError(
                f"CrossAttentionFusion layer {self.name!r}: num_heads must divide units; got "
                f"{num_heads} and {units}."
            )
        self.target = target
        self.dropout = dropout

    def build(self, input_shape: Any) -> None:
        """Create projections, the query and the attention."""
        shapes = self._shapes(input_shape)
        if any(len(shape) not in (2, 3) for shape in shapes):
            raise ValueError(
                f"CrossAttentionFusion layer {self.path!r} takes inputs (batch, features) or "
                f"(batch, time, features); got shapes {shapes}. Reshape pictures to sequences."
            )
        self._place = None if self.target is None else place_of(self, self.target, input_shape)
        self._projections = [
            self._dense(f"projection_{i}", self.units, shape) for i, shape in enumerate(shapes)
        ]
        vectors = (len(shapes), self.units)
        self.modality_vectors = self.add_weight(vectors, "normal", name="modality_vectors")
        if self._place is None:
            self.query = self.add_weight((1, self.units), "normal", name="query")
        tokens = (shapes[0][0], None, self.units)
        self._attention = MultiHeadAttention(
            self.num_heads,
            self.units // self.num_heads,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name="attention",
        )
        built = {"query_shape": tokens, "value_shape": tokens}
        self._attention.build_from_config({"shapes_dict": built})
        self._norm = LayerNormalization(dtype=self.dtype_policy, name="norm")
        self._norm.build_from_config({"input_shape": tokens})

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        tokens, seen = [], []
        for i, (layer, array, there) in enumerate(zip(self._projections, arrays, present)):
            values = layer(array) + self.modality_vectors.value[i]
            values = values if values.ndim == 3 else values[:, None]
            there = jnp.ones(values.shape[:2], bool) if there is None else there
            there = there if there.ndim == 2 else there[:, None]
            tokens.append(values)
            seen.append(jnp.broadcast_to(there, values.shape[:2]))
        if self._place is None:
            batch = arrays[0].shape[0]
            query = jnp.broadcast_to(self.query.value, (batch, 1, self.units))
        else:
            query = tokens.pop(self._place)
            asking = seen.pop(self._place)[..., None]
        mask = jnp.concatenate(seen, 1)
        some = jnp.any(mask, 1)[:, None]
        attended = self._attention(
            query, jnp.concatenate(tokens, 1), attention_mask=(mask | ~some)[:, None]
        )
        outputs = self._norm(query + jnp.where(some[..., None], attended, 0))
        if self._place is None:
            return outputs[:, 0]
        outputs = jnp.where(asking, outputs, 0)
        return outputs if arrays[self._place].ndim == 3 else outputs[:, 0]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the target; None for a learned query."""
        if mask is None or self._place is None:
            return None
        return mask.get(self.target) if isinstance(mask, dict) else mask[self._place]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, units)``, or the target's shape with `units` as last size."""
        shapes = self._shapes(input_shape)
        if self.target is None:
            return (shapes[0][0], self.units)
        return (*shapes[place_of(self, self.target, input_shape)][:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "num_heads": self.num_heads,
            "target": self.target,
            "dropout": self.dropout,
        }
