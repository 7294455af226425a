"""`CausalLM`: a decoder-only transformer that predicts each next token."""

from __future__ import annotations

from typing import Any

from slipstream import activations
from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers.normalization import LayerNormalization
from slipstream.layers.positional import TokenAndPositionEmbedding
from slipstream.layers.regularization import Dropout
from slipstream.layers.transformer import TransformerDecoder
from slipstream.models.generation import generate
from slipstream.models.model import Model


@register("model")
class CausalLM(Model):
    """Tokens ``(batch, length)`` to logits of each next token ``(batch, length, vocabulary)``.

    Embeddings of tokens and places, decoder blocks, a normalization, and scores by the token
    embeddings, transposed (Radford et al. 2019, "GPT-2").

    Args:
        vocabulary_size: number of tokens.
        num_layers: number of blocks.
        num_heads: attention heads of a block; divides `hidden_dim`.
        hidden_dim: size of the vectors between blocks.
        intermediate_dim: size of the hidden layer of a block's dense part.
        max_length: longest sequence.
        dropout: share to drop while training: of embeddings, attention scores and parts' outputs.
        activation: of the blocks' dense parts.
        layer_norm_epsilon: added to variances in the normalizations.
        normalize_first: normalize before each part and not after its residual.
        tie_weights: whether the scores use the token embeddings, or weights of their own.
        kernel_initializer, embeddings_initializer: initial values.

    Train it with ``SparseCategoricalCrossentropy(from_logits=True)`` on tokens and the same tokens
    one place ahead. Logits are float32 under every policy.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or the heads do not divide.
    """

    per_example = True

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int,
        num_heads: int,
        hidden_dim: int,
        intermediate_dim: int,
        max_length: int,
        dropout: float = 0.0,
        activation: Any = "gelu",
        layer_norm_epsilon: float = 1e-5,
        normalize_first: bool = True,
        tie_weights: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        embeddings_initializer: Any = "uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(num_layers, int) or num_layers < 1:
            raise ValueError(
                f"CausalLM {self.name!r}: num_layers must be a whole number of at least 1; "
                f"got {num_layers!r}."
            )
        self._arguments: dict[str, Any] = {
            "vocabulary_size": vocabulary_size,
            "num_layers": num_layers,
            "num_heads": num_heads,
            "hidden_dim": hidden_dim,
            "intermediate_dim": intermediate_dim,
            "max_length": max_length,
            "dropout": dropout,
            "activation": activations.get(activation),
            "layer_norm_epsilon": layer_norm_epsilon,
            "normalize_first": normalize_first,
            "tie_weights": tie_weights,
            "kernel_initializer": kernel_initializer,
            "embeddings_initializer": embeddings_initializer,
        }
        self.embedding = TokenAndPositionEmbedding(
            vocabulary_size,
            max_length,
            hidden_dim,
            tie_weights,
            embeddings_initializer,
            dtype=self.dtype_policy,
            name="embedding",
        )
        self.embedding.token_embedding.reverse_dtype = "float32"
        self.embedding_dropout = Dropout(dropout, dtype=self.dtype_policy, name="embedding_dropout")
        self.blocks = [
            TransformerDecoder(
                intermediate_dim,
                num_heads,
                dropout,
                activation,
                layer_norm_epsilon,
                kernel_initializer,
                normalize_first=normalize_first,
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(num_layers)
        ]
        self.norm = LayerNormalization(
            epsilon=layer_norm_epsilon, dtype=self.dtype_policy, name="norm"
        )
        self.build_from_config({"input_shape": (None, max_length)})

    def build(self, input_shape: Any = None) -> None:
        """Create all weights; they do not depend on the shape."""
        input_shape = input_shape or (None, self._arguments["max_length"])
        hidden = (*input_shape, self._arguments["hidden_dim"])
        self.embedding.build_from_config({"input_shape": input_shape})
        for block in self.blocks:
            block.build_from_config({"decoder_sequence_shape": hidden})
        self.norm.build_from_config({"input_shape": hidden})

    def empty_caches(self, batch: int, length: int) -> list[Any]:
        """A cache for each block, for so many rows and places."""
        return [block.empty_cache(batch, length) for block in self.blocks]

    def call(  # type: ignore[override]
        self,
        tokens: Any,
        caches: Any = None,
        cache_update_index: Any = None,
        training: bool = False,
    ) -> Any:
        """Predict.

        Args:
            tokens: ``(batch, length)`` whole numbers.
            caches: keys and values of the places before, from `empty_caches` or an earlier call.
            cache_update_index: place of the first token, with `caches`.

        Returns:
            Logits ``(batch, length, vocabulary)``, with `caches` also the caches as they are now.
        """
        x = self.embedding(tokens, start_index=0 if caches is None else cache_update_index)
        x = self.embedding_dropout(x)
        new = []
        for index, block in enumerate(self.blocks):
            if caches is None:
                x = block(x)
                continue
            x, cache = block(
                x,
                self_attention_cache=caches[index],
                self_attention_cache_update_index=cache_update_index,
            )
            new.append(cache)
        logits = self.embedding.token_embedding(self.norm(x), reverse=True)
        return logits if caches is None else (logits, new)

    def generate(self, prompt: Any, max_length: int | None = None, **options: Any) -> Any:
        """Continue prompts up to `max_length` tokens; see `slipstream.models.generate`."""
        longest = self._arguments["max_length"]
        wanted = longest if max_length is None else max_length
        if wanted > longest:
            raise ValueError(
                f"CausalLM {self.name!r} has {longest} places; max_length {wanted} is more."
            )
        return generate(self, prompt, wanted, **options)

    def compute_output_shape(self, tokens_shape: Any) -> Any:
        """``(batch, length, vocabulary)``."""
        return (*tokens_shape, self._arguments["vocabulary_size"])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal model."""
        return {**super().get_config(), **registry.serialize_dict(self._arguments)}
