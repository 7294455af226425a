"""What is timed: a layer, its arguments and the shape of its input, the same for every system."""

from __future__ import annotations

from typing import Any, NamedTuple


class Row(NamedTuple):
    """A layer and its input.

    Attributes:
        family: name of the layer's class in Slipstream and in Keras.
        what: what the layer is like, beside the shape of its input.
        shape: shape of the input, channels or features last.
        arguments: arguments of the layer.
        call: further arguments of a call.
        ids: the input is not floats but whole numbers below this.
        wraps: name and arguments of the layer that this one wraps.
        masked: the input has a mask ``(batch, time)``, sequences of many lengths.
        twice: the input is query and value.
    """

    family: str
    what: str
    shape: tuple[int, ...]
    arguments: dict[str, Any] = {}
    call: dict[str, Any] = {}
    ids: int = 0
    wraps: tuple[str, dict[str, Any]] | None = None
    masked: bool = False
    twice: bool = False

    @property
    def name(self) -> str:
        """``Conv2D 3×3, 32→64, (32, 32, 32, 32)``."""
        return f"{self.family} {self.what}".strip() + f", {self.shape}"

    @property
    def random(self) -> bool:
        """Whether the layer draws, so that only what it draws from can be compared."""
        return self.family == "Dropout"

    def shrunk(self) -> Row:
        """The same layer on a batch of two, and few places."""
        return self._replace(shape=(2, *(min(n, 6) for n in self.shape[1:-1]), self.shape[-1]))


def _convolution(filters: int, kernel: int, **arguments: Any) -> dict[str, Any]:
    return {"filters": filters, "kernel_size": kernel, "padding": "same", **arguments}


_IMAGES, _WIDE = (32, 32, 32, 32), (32, 32, 32, 64)
_SEQUENCES, _TOKENS = (32, 64, 64), (8, 128, 256)
_RECURRENT = {"units": 128, "return_sequences": True}
_HEADS = {"num_heads": 8, "key_dim": 32}
_GROUPS = {"head_dim": 32, "num_query_heads": 8, "num_key_value_heads": 2}

ROWS = [
    Row("Dense", "784→512, relu", (256, 784), {"units": 512, "activation": "relu"}),
    Row("Dense", "256→1024, on sequences", (16, 128, 256), {"units": 1024}),
    Row("EinsumDense", "btf,fhd→bthd, 8 heads", (16, 128, 256),
        {"equation": "btf,fhd->bthd", "output_shape": (None, 8, 32), "bias_axes": "hd"}),
    Row("Embedding", "20000 words, 128 features", (64, 128),
        {"input_dim": 20_000, "output_dim": 128}, ids=20_000),
    Row("Conv1D", "3, 64→128", (32, 128, 64), _convolution(128, 3)),
    Row("Conv2D", "3×3, 32→64", _IMAGES, _convolution(64, 3)),
    Row("Conv2D", "3×3, 32→64, stride 2", _IMAGES,
        _convolution(64, 3, strides=2, padding="valid")),
    Row("Conv2D", "3×3, 32→64, dilation 2", _IMAGES, _convolution(64, 3, dilation_rate=2)),
    Row("Conv2D", "3×3, 32→64, 4 groups", _IMAGES, _convolution(64, 3, groups=4)),
    Row("Conv2D", "1×1, 64→64", _WIDE, _convolution(64, 1)),
    Row("Conv3D", "3×3×3, 16→32", (4, 16, 16, 16, 16), _convolution(32, 3)),
    Row("Conv2DTranspose", "4×4, 64→32, stride 2", (16, 16, 16, 64),
        _convolution(32, 4, strides=2)),
    Row("DepthwiseConv2D", "3×3", _WIDE, {"kernel_size": 3, "padding": "same"}),
    Row("SeparableConv2D", "3×3, 32→64", _IMAGES, _convolution(64, 3)),
    Row("MaxPooling2D", "2×2", _WIDE, {"pool_size": 2}),
    Row("MaxPooling2D", "3×3, stride 2", _WIDE, {"pool_size": 3, "strides": 2}),
    Row("AveragePooling2D", "2×2", _WIDE, {"pool_size": 2}),
    Row("GlobalAveragePooling2D", "", _WIDE),
    Row("UpSampling2D", "nearest, ×2", (32, 16, 16, 64), {"size": 2}),
    Row("UpSampling2D", "bilinear, ×2", (32, 16, 16, 64),
        {"size": 2, "interpolation": "bilinear"}),
    Row("ZeroPadding2D", "1 on each side", _WIDE, {"padding": 1}),
    Row("BatchNormalization", "", _WIDE),
    Row("LayerNormalization", "", (32, 128, 256)),
    Row("GroupNormalization", "32 groups", (16, 32, 32, 64), {"groups": 32}),
    Row("RMSNormalization", "", (32, 128, 256)),
    Row("SimpleRNN", "64→128", _SEQUENCES, _RECURRENT),
    Row("LSTM", "64→128", _SEQUENCES, _RECURRENT),
    Row("GRU", "64→128", _SEQUENCES, _RECURRENT),
    Row("Bidirectional", "LSTM 64→2×128, masked", _SEQUENCES, wraps=("LSTM", _RECURRENT),
        masked=True),
    Row("ConvLSTM2D", "3×3, 8→16", (4, 8, 16, 16, 8), _convolution(16, 3)),
    Row("MultiHeadAttention", "8 heads", _TOKENS, _HEADS, twice=True),
    Row("MultiHeadAttention", "8 heads, causal", _TOKENS, _HEADS, {"use_causal_mask": True},
        twice=True),
    Row("GroupQueryAttention", "8 heads, 2 of keys", _TOKENS, _GROUPS, twice=True),
    Row("TransformerEncoder", "8 heads, 256-1024-256", _TOKENS,
        {"num_heads": 8, "intermediate_dim": 1024}),
    Row("Softmax", "", (8, 8, 128, 128)),
    Row("Dropout", "0.5, training", (256, 2048), {"rate": 0.5}),
]  # fmt: skip

FAMILIES = list(dict.fromkeys(row.family for row in ROWS))
