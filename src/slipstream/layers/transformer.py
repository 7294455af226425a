"""Blocks of transformers: encoder and decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream import activations, initializers
from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.scope import attached
from slipstream.layers.attention import ReturnsScores
from slipstream.layers.cached_attention import CachedMultiHeadAttention
from slipstream.layers.dense import Dense
from slipstream.layers.multi_head_attention import MultiHeadAttention
from slipstream.layers.normalization import LayerNormalization
from slipstream.layers.regularization import Dropout
from slipstream.layers.spatial import is_count


class Block(Layer):
    """What encoder and decoder share: arguments, residual branches and the dense part."""

    per_example = True
    supports_masking = True

    def __init__(
        self,
        intermediate_dim: int,
        num_heads: int,
        dropout: float = 0,
        activation: Any = "relu",
        layer_norm_epsilon: float = 1e-05,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        normalize_first: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("intermediate_dim", intermediate_dim), ("num_heads", num_heads)):
            if not is_count(value):
                raise ValueError(
                    f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of "
                    f"at least 1; got {value!r}."
                )
        self.intermediate_dim = intermediate_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.activation = activations.get(activation)
        self.layer_norm_epsilon = layer_norm_epsilon
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.normalize_first = normalize_first

    def _build_attention(
        self, kind: type[MultiHeadAttention], name: str, shape: tuple, source: tuple
    ) -> Any:
        hidden = shape[-1]
        if hidden is None or hidden % self.num_heads:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: num_heads must divide the input's "
                f"last size; got {self.num_heads} heads and shape {shape}."
            )
        attention = kind(
            self.num_heads,
            hidden // self.num_heads,
            dropout=self.dropout,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            dtype=self.dtype_policy,
            name=name,
        )
        attention.build_from_config({"shapes_dict": {"query_shape": shape, "value_shape": source}})
        return attention

    def _build_norm(self, name: str, shape: tuple) -> LayerNormalization:
        norm = LayerNormalization(
            epsilon=self.layer_norm_epsilon, dtype=self.dtype_policy, name=name
        )
        norm.build_from_config({"input_shape": shape})
        return norm

    def _build_dropout(self, name: str) -> Dropout:
        return Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def _build_feedforward(self, shape: tuple) -> None:
        def dense(name: str, units: int, activation: Any, shape: tuple) -> Dense:
            layer = Dense(
                units,
                activation,
                kernel_initializer=self.kernel_initializer,
                bias_initializer=self.bias_initializer,
                dtype=self.dtype_policy,
                name=name,
            )
            layer.build_from_config({"input_shape": shape})
            return layer

        inner = (*shape[:-1], self.intermediate_dim)
        self._intermediate = dense("feedforward_intermediate", inner[-1], self.activation, shape)
        self._output = dense("feedforward_output", shape[-1], None, inner)
        self._feedforward_norm = self._build_norm("feedforward_norm", shape)
        self._feedforward_dropout = self._build_dropout("feedforward_dropout")

    def _residual(self, x: Any, norm: Layer, dropout: Layer, branch: Callable[[Any], Any]) -> Any:
        """``x + branch(x)``, normalized before the branch or after the sum."""
        if self.normalize_first:
            return x + dropout(branch(norm(x)))
        return norm(x + dropout(branch(x)))

    def _feedforward(self, x: Any) -> Any:
        return self._residual(
            x,
            self._feedforward_norm,
            self._feedforward_dropout,
            lambda x: self._output(self._intermediate(x)),
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "intermediate_dim": self.intermediate_dim,
            "num_heads": self.num_heads,
            "dropout": self.dropout,
            "activation": self.activation,
            "layer_norm_epsilon": self.layer_norm_epsilon,
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
            "normalize_first": self.normalize_first,
        }
        return {**super().get_config(), **registry.serialize_dict(own)}


@register("layer")
class TransformerEncoder(ReturnsScores, Block):
    """Self-attention and a dense part, each with a residual (Vaswani et al. 2017).

    Args:
        intermediate_dim: size of the dense part's hidden layer.
        num_heads: number of attention heads; divides the input's last size.
        dropout: share to drop of attention scores and of each part's output, while training.
        activation: of the hidden layer.
        layer_norm_epsilon: added to variances in the normalizations.
        kernel_initializer, bias_initializer: initial values of all dense parts.
        normalize_first: normalize before each part and not after its residual.

    Input and output are ``(batch, length, features)``.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or the heads do not divide.
    """

    per_example = True

    def build(self, inputs_shape: Any) -> None:
        """Create the parts."""
        shape = tuple(inputs_shape)
        self._attention = self._build_attention(MultiHeadAttention, "self_attention", shape, shape)
        self._attention_norm = self._build_norm("self_attention_norm", shape)
        self._attention_dropout = self._build_dropout("self_attention_dropout")
        self._build_feedforward(shape)

    def call(
        self,
        inputs: Any,
        padding_mask: Any = None,
        attention_mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:
        """Encode.

        Args:
            inputs: ``(batch, length, features)``.
            padding_mask: ``(batch, length)`` bool, False for padding; the input's own mask if not
                given.
            attention_mask: ``(batch, length, length)`` bool, False where a query does not see.
            return_attention_scores: whether to return ``(batch, heads, length, length)`` too.
        """
        mask = _joint_mask(inputs, padding_mask, attention_mask)
        scores: list[Any] = []

        def attend(x: Any) -> Any:
            if not return_attention_scores:
                return self._attention(x, x, attention_mask=mask)
            return _keep(
                self._attention(x, x, attention_mask=mask, return_attention_scores=True), scores
            )

        x = self._residual(inputs, self._attention_norm, self._attention_dropout, attend)
        x = self._feedforward(x)
        return (x, scores[0]) if return_attention_scores else x

    def compute_output_shape(self, inputs_shape: Any) -> Any:
        """The input's shape."""
        return inputs_shape


@register("layer")
class TransformerDecoder(Block):
    """Causal self-attention, attention to an encoder's output if there is one, and a dense part.

    Arguments are those of `TransformerEncoder`. Whether there is attention to an encoder is decided
    by the first call.
    """

    per_example = True
    _cross: Any = None

    def build(  # type: ignore[override]
        self, decoder_sequence_shape: Any, encoder_sequence_shape: Any = None
    ) -> None:
        """Create the parts."""
        shape = tuple(decoder_sequence_shape)
        self._attention = self._build_attention(
            CachedMultiHeadAttention, "self_attention", shape, shape
        )
        self._attention_norm = self._build_norm("self_attention_norm", shape)
        self._attention_dropout = self._build_dropout("self_attention_dropout")
        if encoder_sequence_shape is not None:
            self._cross = self._build_attention(
                CachedMultiHeadAttention, "cross_attention", shape, tuple(encoder_sequence_shape)
            )
            self._cross_norm = self._build_norm("cross_attention_norm", shape)
            self._cross_dropout = self._build_dropout("cross_attention_dropout")
        self._build_feedforward(shape)

    def empty_cache(self, batch: int, length: int) -> tuple[Any, Any]:
        """A cache of self-attention for so many rows and places."""
        return self._attention.empty_cache(batch, length)

    def call(
        self,
        decoder_sequence: Any,
        encoder_sequence: Any = None,
        decoder_padding_mask: Any = None,
        decoder_attention_mask: Any = None,
        encoder_padding_mask: Any = None,
        encoder_attention_mask: Any = None,
        self_attention_cache: Any = None,
        self_attention_cache_update_index: Any = None,
        cross_attention_cache: Any = None,
        cross_attention_cache_update_index: Any = None,
        use_causal_mask: bool = True,
        training: bool = False,
    ) -> Any:
        """Decode.

        Args:
            decoder_sequence: ``(batch, length, features)``.
            encoder_sequence: ``(batch, source_length, source_features)``.
            decoder_padding_mask, encoder_padding_mask: ``(batch, length)`` bool, False for
                padding; the sequence's own mask if not given. With a cache the decoder's covers
                the cache's places.
            decoder_attention_mask, encoder_attention_mask: ``(batch, length, keys)`` bool.
            self_attention_cache, self_attention_cache_update_index: keys and values of the places
                before, and where the sequence begins; see `CachedMultiHeadAttention`.
            cross_attention_cache, cross_attention_cache_update_index: the same of the encoder's
                output; without an index the cache stands for the whole of it.
            use_causal_mask: whether a place sees none after it.

        Returns:
            ``(batch, length, features)``, followed by each cache that was given, as it is now.

        Raises:
            ValueError: if an encoder's output is given to a layer built without one, or lacks.
        """
        crossing = encoder_sequence is not None or cross_attention_cache is not None
        if crossing != (self._cross is not None):
            raise ValueError(
                f"TransformerDecoder layer {self.path!r} was built "
                + ("without" if crossing else "with")
                + " an encoder_sequence; call it that way, or make another layer."
            )
        cached = self_attention_cache is not None
        own = None if cached and decoder_padding_mask is None else decoder_sequence
        mask = _joint_mask(own, decoder_padding_mask, decoder_attention_mask)
        caches: list[Any] = []

        def attend(x: Any) -> Any:
            outputs = self._attention(
                x,
                x,
                attention_mask=mask,
                cache=self_attention_cache,
                cache_update_index=self_attention_cache_update_index,
                use_causal_mask=use_causal_mask,
            )
            return _keep(outputs, caches) if cached else outputs

        def attend_to_source(x: Any) -> Any:
            outputs = self._cross(
                x,
                x if encoder_sequence is None else encoder_sequence,
                attention_mask=_joint_mask(
                    encoder_sequence, encoder_padding_mask, encoder_attention_mask
                ),
                cache=cross_attention_cache,
                cache_update_index=cross_attention_cache_update_index,
            )
            return outputs if cross_attention_cache is None else _keep(outputs, caches)

        x = self._residual(decoder_sequence, self._attention_norm, self._attention_dropout, attend)
        if crossing:
            x = self._residual(x, self._cross_norm, self._cross_dropout, attend_to_source)
        x = self._feedforward(x)
        return (x, *caches) if caches else x

    def compute_output_shape(self, decoder_sequence_shape: Any) -> Any:
        """The decoder sequence's shape."""
        return decoder_sequence_shape


def _joint_mask(sequence: Any, padding: Any, attention: Any) -> Any:
    """``(batch, queries or 1, keys)`` from padding, the sequence's own or given, and attention."""
    if padding is None and sequence is not None:
        padding = attached(sequence, "mask")
    if padding is not None:
        padding = jnp.asarray(padding, bool)[:, None, :]
    if attention is not None:
        attention = jnp.asarray(attention, bool)
        return attention if padding is None else padding & attention
    return padding


def _keep(result: tuple[Any, Any], extras: list[Any]) -> Any:
    outputs, extra = result
    extras.append(extra)
    return outputs
