"""Records for TensorBoard that tensorboardX has no function for."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np


def tensorboardx() -> Any:
    """The tensorboardX package.

    Raises:
        ImportError: if it is not installed.
    """
    try:
        import tensorboardX
    except ImportError as error:
        raise ImportError(
            "The TensorBoard callback needs tensorboardX, which is not installed. Run: "
            'pip install "slipstream[tensorboard]"'
        ) from error
    return tensorboardX


def model_summary(model: Any) -> Any:
    """The model's layers in the form that TensorBoard's graph page reads from Keras."""
    tensorboardx()
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.types_pb2 import DT_STRING

    plugin = SummaryMetadata.PluginData(plugin_name="graph_keras_model", content=b"1")
    tensor = TensorProto(dtype=DT_STRING, string_val=[model.to_json().encode()])
    metadata = SummaryMetadata(plugin_data=plugin)
    return Summary(value=[Summary.Value(tag="keras", metadata=metadata, tensor=tensor)])


def image_summary(tag: str, weight: np.ndarray) -> Any:
    """A weight as a grey picture, its last axis down and all others across."""
    tensorboardx()
    from tensorboardX.proto.summary_pb2 import Summary

    matrix = weight.reshape(-1, weight.shape[-1]).T
    least, most = float(matrix.min()), float(matrix.max())
    grey = (255 * (matrix - least) / ((most - least) or 1.0)).astype(np.uint8)
    height, width = grey.shape
    image = Summary.Image(height=height, width=width, colorspace=1, encoded_image_string=_png(grey))
    return Summary(value=[Summary.Value(tag=tag, image=image)])


def _png(grey: np.ndarray) -> bytes:
    """8-bit greyscale PNG (ISO/IEC 15948) of ``(height, width)`` bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    height, width = grey.shape
    rows = b"".join(b"\0" + row.tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
