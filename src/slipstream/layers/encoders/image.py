"""Encoders of pictures: a residual network and a vision transformer."""

from __future__ import annotations

from typing import Any

import jax

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.layers.batch_normalization import BatchNormalization
from slipstream.layers.convolution import Conv2D
from slipstream.layers.encoders.base import MOMENTUM, Encoder
from slipstream.layers.normalization import LayerNormalization
from slipstream.layers.positional import PositionEmbedding
from slipstream.layers.regularization import Dropout
from slipstream.layers.transformer import TransformerEncoder


class ResidualBlock(Layer):
    """Two convolutions beside a shortcut, each with batch normalization (He et al., 2016)."""

    per_example = True

    def __init__(self, filters: int, strides: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.strides = filters, strides

    def build(self, input_shape: Any) -> None:
        """Create the layers."""

        def convolution(size: int, strides: int, name: str) -> list[Layer]:
            return [
                Conv2D(
                    self.filters, size, strides, "same", use_bias=False, dtype=self.dtype_policy,
                    data_format="channels_last", kernel_initializer="he_normal", name=name,
                ),
                BatchNormalization(
                    momentum=MOMENTUM, dtype=self.dtype_policy, name=f"{name}_norm"
                ),
            ]  # fmt: skip

        self._first = convolution(3, self.strides, "first")
        self._second = convolution(3, 1, "second")
        changed = self.strides > 1 or input_shape[-1] != self.filters
        self._shortcut = convolution(1, self.strides, "shortcut") if changed else []

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Apply the block."""

        def through(layers: list[Layer], x: Any) -> Any:
            for layer in layers:
                x = layer(x)
            return x

        x = through(self._second, jax.nn.relu(through(self._first, inputs)))
        return jax.nn.relu(x + through(self._shortcut, inputs))


@register("layer")
class ImageResNet(Encoder):
    """A small residual network on pictures (He et al., 2016).

    Args:
        features: size of the output vector.
        widths: channels of each stage; from the second on, each halves height and width.
        blocks: residual blocks in each stage.
        return_tokens: see `Encoder`; one token for each place of the last stage.

    Input ``(batch, height, width, channels)``, scaled to about -1 to 1; output ``(batch,
    features)``.

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the input has other axes.
    """

    _arguments = ("widths", "blocks")
    _rank, _axes = 4, "(batch, height, width, channels)"

    def __init__(
        self, features: int, widths: Any = (32, 64, 128), blocks: int = 2, **kwargs: Any
    ) -> None:
        super().__init__(features, **kwargs)
        self.widths = self._counts("widths", widths)
        self.blocks = self._count("blocks", blocks)

    def _create(self, input_shape: Any) -> None:
        self._stem = self._part(
            Conv2D, self.widths[0], 3, padding="same", use_bias=False, name="stem",
            data_format="channels_last", kernel_initializer="he_normal",
        )  # fmt: skip
        self._stem_norm = self._part(BatchNormalization, momentum=MOMENTUM, name="stem_norm")
        self._stages = [
            self._part(
                ResidualBlock, width, 2 if stage and not block else 1, name=f"stage_{stage}_{block}"
            )
            for stage, width in enumerate(self.widths)
            for block in range(self.blocks)
        ]

    def _tokens(self, inputs: Any, training: bool) -> Any:
        x = jax.nn.relu(self._stem_norm(self._stem(inputs)))
        for block in self._stages:
            x = block(x)
        return x.reshape(x.shape[0], x.shape[1] * x.shape[2], x.shape[3])


@register("layer")
class ImageViT(Encoder):
    """A small vision transformer (Dosovitskiy et al., 2021), patches averaged at its end.

    Args:
        features: size of the output vector.
        patch_size: height and width of a patch; what is over at the edges is left out.
        width: size of a token.
        depth: number of transformer blocks.
        num_heads: number of heads; divides `width`.
        dropout: share to drop while training.
        return_tokens: see `Encoder`; one token for each patch.

    Input ``(batch, height, width, channels)``, scaled to about -1 to 1; output ``(batch,
    features)``.

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the input has other axes or is
            smaller than a patch.
    """

    _arguments = ("patch_size", "width", "depth", "num_heads", "dropout")
    _rank, _axes = 4, "(batch, height, width, channels)"

    def __init__(
        self,
        features: int,
        patch_size: int = 4,
        width: int = 64,
        depth: int = 4,
        num_heads: int = 4,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        self.patch_size = self._count("patch_size", patch_size)
        self.width = self._count("width", width)
        self.depth = self._count("depth", depth)
        self.num_heads = self._count("num_heads", num_heads)
        self.dropout = dropout

    def _create(self, input_shape: Any) -> None:
        rows, columns = (
            None if size is None else size // self.patch_size for size in input_shape[1:3]
        )
        if not rows or not columns:
            raise ValueError(
                f"ImageViT layer {self.path!r} needs pictures of a known size, of at least one "
                f"patch of {self.patch_size} × {self.patch_size}; got shape {tuple(input_shape)}."
            )
        self._patches = self._part(
            Conv2D, self.width, self.patch_size, self.patch_size, name="patches",
            data_format="channels_last",
        )  # fmt: skip
        self._positions = self._part(
            PositionEmbedding, rows * columns, initializer="normal", name="positions"
        )
        self._blocks = transformer(self)
        self._norm = self._part(LayerNormalization, name="norm")

    def _tokens(self, inputs: Any, training: bool) -> Any:
        x = self._patches(inputs)
        x = x.reshape(x.shape[0], x.shape[1] * x.shape[2], x.shape[3])
        x = x + self._positions(x)
        for block in self._blocks:
            x = block(x)
        return self._norm(x)


def transformer(encoder: Any) -> list[Layer]:
    """The dropout and the blocks of an encoder with `depth`, `width`, `num_heads`, `dropout`."""
    return [
        encoder._part(Dropout, encoder.dropout, name="dropout"),
        *(
            encoder._part(
                TransformerEncoder, 4 * encoder.width, encoder.num_heads, encoder.dropout, "gelu",
                normalize_first=True, name=f"block_{i}",
            )
            for i in range(encoder.depth)
        ),
    ]  # fmt: skip
