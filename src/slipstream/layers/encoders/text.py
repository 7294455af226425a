"""Encoders of text: a transformer and an LSTM."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.layers.bidirectional import Bidirectional
from slipstream.layers.embedding import Embedding
from slipstream.layers.encoders.base import Encoder
from slipstream.layers.encoders.image import transformer
from slipstream.layers.lstm import LSTM
from slipstream.layers.normalization import LayerNormalization
from slipstream.layers.positional import TokenAndPositionEmbedding
from slipstream.layers.regularization import Dropout


class _Text(Encoder):
    """An encoder of whole numbers ``(batch, length)``, 0 for padding."""

    _rank, _axes = 2, "(batch, length) of whole numbers"
    _input_dtype = "int32"

    def __init__(
        self, vocabulary_size: int, features: int, width: int, dropout: float, **kwargs: Any
    ) -> None:
        super().__init__(features, **kwargs)
        self.vocabulary_size = self._count("vocabulary_size", vocabulary_size)
        self.width = self._count("width", width)
        self.dropout = dropout

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Encode."""
        return super().call(inputs.astype("int32"), training=training)


@register("layer")
class TextTransformer(_Text):
    """A small transformer on tokens (Vaswani et al., 2017), normalized before each part.

    Args:
        vocabulary_size: number of tokens; 0 is padding and counts nowhere.
        features: size of the output vector.
        width: size of a token's vector.
        depth: number of transformer blocks.
        num_heads: number of heads; divides `width`.
        dropout: share to drop while training.
        return_tokens: see `Encoder`; the tokens carry the mask of what is no padding.

    Input ``(batch, length)`` whole numbers, output ``(batch, features)``.

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the input has other axes.
    """

    per_example = True
    _arguments = ("vocabulary_size", "width", "depth", "num_heads", "dropout")

    def __init__(
        self,
        vocabulary_size: int,
        features: int,
        width: int = 64,
        depth: int = 2,
        num_heads: int = 4,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary_size, features, width, dropout, **kwargs)
        self.depth = self._count("depth", depth)
        self.num_heads = self._count("num_heads", num_heads)

    def _create(self, input_shape: Any) -> None:
        self._embedding = self._part(
            TokenAndPositionEmbedding, self.vocabulary_size, input_shape[1], self.width,
            mask_zero=True, name="embedding",
        )  # fmt: skip
        self._blocks = transformer(self)
        self._norm = self._part(LayerNormalization, name="norm")

    def _tokens(self, inputs: Any, training: bool) -> Any:
        x = self._embedding(inputs)
        for block in self._blocks:
            x = block(x)
        return self._norm(x)


@register("layer")
class TextLSTM(_Text):
    """A bidirectional LSTM on tokens (Hochreiter and Schmidhuber, 1997), averaged over time.

    Args:
        vocabulary_size: number of tokens; 0 is padding and counts nowhere.
        features: size of the output vector.
        width: size of a token's vector, and of the state in each direction.
        dropout: share of the tokens' vectors to drop while training.
        return_tokens: see `Encoder`; the tokens carry the mask of what is no padding.

    Input ``(batch, length)`` whole numbers, output ``(batch, features)``.

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the input has other axes.
    """

    per_example = True
    _any_last = True
    _arguments = ("vocabulary_size", "width", "dropout")

    def __init__(
        self,
        vocabulary_size: int,
        features: int,
        width: int = 64,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(vocabulary_size, features, width, dropout, **kwargs)

    def _create(self, input_shape: Any) -> None:
        self._embedding = self._part(
            Embedding, self.vocabulary_size, self.width, mask_zero=True, name="embedding"
        )
        self._dropout = self._part(Dropout, self.dropout, name="dropout")
        forward = self._part(LSTM, self.width, return_sequences=True, name="lstm")
        self._lstm = self._part(Bidirectional, forward, name="both_ways")

    def _tokens(self, inputs: Any, training: bool) -> Any:
        return self._lstm(self._dropout(self._embedding(inputs)))
