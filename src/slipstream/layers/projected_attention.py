"""What attention with projected query, key and value shares."""

from __future__ import annotations

import functools
import operator
import string
from math import prod
from typing import Any

import jax.numpy as jnp

from slipstream import regularizers
from slipstream.core import registry
from slipstream.core.random import layer_key
from slipstream.kernels.attention import attend
from slipstream.kernels.curves import curve
from slipstream.layers import weight_arguments
from slipstream.layers.attention import ReturnsScores
from slipstream.layers.einsum_dense import EinsumDense
from slipstream.layers.spatial import is_count


class ProjectedAttention(ReturnsScores):
    """Attention between projections of query, key and value, in several heads.

    Args:
        heads: number of query heads.
        key_heads: number of key and value heads, a divisor of `heads`.
        key_dim, value_dim: sizes of a head's query and key, and of its value.
        output_shape: shape of an output without batch and attention axes; the query's last size
            if not given.
        attention_axes: axes that are attended over; all but the first and the last if not given.
    """

    per_example = True
    supports_masking = True
    # What the attributes of the projections begin with: files name them so.
    _prefix = ""

    def __init__(
        self,
        heads: int,
        key_heads: int,
        key_dim: int,
        value_dim: int,
        dropout: float,
        use_bias: bool,
        output_shape: Any,
        attention_axes: Any,
        sliding_window: int | None,
        flash_attention: bool | None,
        use_gate: bool,
        seed: int | None,
        weights: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if sliding_window is not None and not is_count(sliding_window):
            raise ValueError(self._bad("sliding_window", sliding_window, " or None"))
        if not 0 <= dropout <= 1:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: dropout must be between 0 and 1; "
                f"got {dropout}."
            )
        if flash_attention and dropout > 0:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: flash attention has no dropout. Leave "
                "flash_attention or dropout out."
            )
        self._heads, self._key_heads = heads, key_heads
        self._key_dim, self._value_dim = key_dim, value_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.sliding_window = sliding_window
        self.flash_attention = flash_attention
        self.seed = seed
        self._output_shape = (output_shape,) if isinstance(output_shape, int) else output_shape
        self._attention_axes = (
            (attention_axes,) if isinstance(attention_axes, int) else attention_axes
        )
        self._weights = {
            **weights, "activity_regularizer": regularizers.get(weights["activity_regularizer"])
        }  # fmt: skip
        for role in ("kernel", "bias"):
            weight_arguments.keep(
                self, role, *(weights[f"{role}_{part}"] for part in
                              ("initializer", "regularizer", "constraint"))
            )  # fmt: skip

    def _bad(self, name: str, value: Any, more: str = "") -> str:
        return (
            f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of at least "
            f"1{more}; got {value!r}."
        )

    # ---- projections -------------------------------------------------------------------------

    def build(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> None:
        """Create the projections for inputs of these shapes."""
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(key_shape[1:-1]) != tuple(value_shape[1:-1]):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: value and key differ in their last "
                f"axis at most; got shapes {tuple(value_shape)} and {tuple(key_shape)}."
            )
        rank = len(query_shape)
        if self._attention_axes is None:
            self._attention_axes = tuple(range(1, rank - 1))
        self._attention_axes = tuple(axis % rank for axis in self._attention_axes)
        self._into("query", query_shape, self._heads, self._key_dim)
        self._into("key", key_shape, self._key_heads, self._key_dim)
        if self.use_gate:
            self._into("gate", query_shape, self._heads, self._value_dim)
        self._into("value", value_shape, self._key_heads, self._value_dim)
        self._out_of(query_shape)

    def _into(self, name: str, shape: Any, heads: int, features: int) -> None:
        """The projection of an input to ``(batch, …, heads, features)``."""
        lead = _letters(len(shape) - 1)
        self._add(name, name, f"{lead}x,xyz->{lead}yz", shape, (heads, features))

    def _out_of(self, shape: Any) -> None:
        """The projection of all heads to the output."""
        lead = _letters(len(shape) - 1)
        sizes = self._output_shape or (shape[-1],)
        new = _letters(len(sizes), len(lead))
        heads = (*shape[:-1], self._heads, self._value_dim)
        self._add("output", "attention_output", f"{lead}yz,yz{new}->{lead}{new}", heads, sizes)

    def _add(self, attribute: str, name: str, equation: str, shape: Any, sizes: tuple) -> None:
        output = equation.partition("->")[2]
        kept = len(output) - len(sizes)
        dense = EinsumDense(
            equation,
            (*(None,) * (kept - 1), *sizes),
            bias_axes=output[kept:] if self.use_bias else None,
            name=name,
            dtype=self.dtype_policy,
            **self._weights,
        )
        dense.supports_masking = True
        setattr(self, self._attribute(attribute), dense)
        dense.build_from_config({"input_shape": tuple(shape)})

    def _attribute(self, name: str) -> str:
        return "_gate_dense" if name == "gate" else f"{self._prefix}{name}_dense"

    def _project(self, name: str, inputs: Any) -> Any:
        return getattr(self, self._attribute(name))(inputs)

    # ---- masks -------------------------------------------------------------------------------

    def _mask(
        self,
        query: Any,
        value: Any,
        query_mask: Any,
        value_mask: Any,
        key_mask: Any,
        attention_mask: Any,
        first: Any = 0,
    ) -> Any:
        """One bool mask ``(batch, …, heads, queries, keys)``, or None where all keys are seen.

        `first` is the place of the first query among the keys.
        """
        axes = len(self._attention_axes)
        masks = []
        if query_mask is not None:
            mask = jnp.asarray(query_mask, bool)
            masks.append(mask.reshape(*mask.shape, *(1,) * axes))
        for mask in (value_mask, key_mask):
            if mask is not None:
                mask = jnp.asarray(mask, bool)
                masks.append(mask.reshape(mask.shape[0], *(1,) * axes, *mask.shape[1:]))
        if self.sliding_window:
            axis = self._one_axis("sliding_window")
            places = jnp.arange(query.shape[axis]) + first
            apart = places[:, None] - jnp.arange(value.shape[axis])
            masks.append((jnp.abs(apart) < self.sliding_window)[None])
        if attention_mask is not None:
            masks.append(jnp.asarray(attention_mask, bool))
        if not masks:
            return None
        rank = query.ndim + axes  # of the scores
        return functools.reduce(operator.and_, (self._with_heads(mask, rank) for mask in masks))

    def _one_axis(self, argument: str) -> int:
        if len(self._attention_axes) != 1:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: {argument} needs a single attention "
                f"axis; the layer attends over {self._attention_axes}."
            )
        return self._attention_axes[0]

    def _with_heads(self, mask: Any, rank: int) -> Any:
        """The mask with axes of size 1 for the heads and the batch-like axes that it lacks."""
        lead = max(mask.ndim - 2 * len(self._attention_axes), 0)
        missing = rank - mask.ndim
        return mask.reshape(*mask.shape[:lead], *(1,) * missing, *mask.shape[lead:])

    # ---- attention ---------------------------------------------------------------------------

    def _attend(
        self,
        query: Any,
        key: Any,
        value: Any,
        mask: Any,
        causal: bool,
        training: bool,
        return_scores: bool,
    ) -> Any:
        """Attention over the attention axes of projected arrays ``(batch, …, heads, features)``."""
        attended = self._attention_axes
        others = tuple(i for i in range(query.ndim - 2) if i not in attended)
        order = (*others, *attended, query.ndim - 2, query.ndim - 1)
        shapes = [[array.shape[i] for i in attended] for array in (query, value)]
        batch = [query.shape[i] for i in others]

        def flat(array: Any) -> Any:
            """``(batch, length, heads, features)``."""
            array = jnp.transpose(array, order)
            return array.reshape(prod(batch), -1, *array.shape[-2:]) if array.ndim > 4 else array

        if mask is not None and mask.ndim > 4:
            heads = mask.shape[len(batch)]
            mask = jnp.broadcast_to(mask, (*batch, heads, *shapes[0], *shapes[1]))
            mask = mask.reshape(prod(batch), heads, prod(shapes[0]), prod(shapes[1]))
        dropping = training and self.dropout > 0
        results = attend(
            flat(query),
            flat(key),
            flat(value),
            mask=mask,
            causal=causal,
            dropout=self.dropout if dropping else 0.0,
            dropout_key=layer_key(self, self.seed) if dropping else None,
            # What Keras gives a query that sees nothing depends on which of its paths is taken.
            empty="zero" if return_scores or self.dropout > 0 else "mean",
            return_scores=return_scores,
        )
        outputs, scores = results if return_scores else (results, None)
        outputs = outputs.reshape(*batch, *shapes[0], *outputs.shape[-2:])
        outputs = jnp.transpose(outputs, _inverse(order))
        if scores is not None:
            scores = scores.reshape(*batch, scores.shape[1], *shapes[0], *shapes[1])
        return outputs, scores

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Attend.

        Args:
            query: ``(batch, queries, features)``.
            value: ``(batch, keys, value_features)``.
            key: ``(batch, keys, key_features)``; the value if not given.
            query_mask, value_mask, key_mask: ``(batch, length)`` bool, False for padding.
            attention_mask: ``(batch, queries, keys)`` bool, with a heads axis if need be.
            return_attention_scores: whether to return ``(batch, heads, queries, keys)`` too.
            use_causal_mask: whether query `i` sees keys up to `i` only.

        Returns:
            ``(batch, queries, output_features)``, with the scores if asked for.
        """
        if return_attention_scores and self.flash_attention:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: flash attention keeps no scores. "
                "Leave flash_attention out to have them."
            )
        if use_causal_mask:
            self._one_axis("use_causal_mask")
        mask = self._mask(query, value, query_mask, value_mask, key_mask, attention_mask)
        outputs, scores = self._attend(
            self._project("query", query),
            self._project("key", value if key is None else key),
            self._project("value", value),
            mask,
            use_causal_mask,
            training,
            return_attention_scores,
        )
        outputs = self._finish(query, outputs)
        return (outputs, scores) if return_attention_scores else outputs

    def _finish(self, query: Any, outputs: Any) -> Any:
        """Gate the heads' outputs and project them."""
        if self.use_gate:
            outputs = outputs * curve("sigmoid", self._project("gate", query))
        return self._project("output", outputs)

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        """``(batch, queries, output_features)``."""
        return (*query_shape[:-1], *(self._output_shape or (query_shape[-1],)))

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "dropout": self.dropout,
            "use_bias": self.use_bias,
            "use_gate": self.use_gate,
            "sliding_window": self.sliding_window,
            **weight_arguments.describe(self, "kernel", "bias"),
            "activity_regularizer": registry.serialize(self._weights["activity_regularizer"]),
            "seed": self.seed,
        }


def _letters(count: int, start: int = 0) -> str:
    """Letters for so many axes; x, y and z are kept for projected axes."""
    return string.ascii_lowercase[start : start + count]


def _inverse(order: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(range(len(order)), key=order.__getitem__))
