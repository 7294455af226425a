"""Small pictures inside a page."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np


def png(image: np.ndarray) -> bytes:
    """A picture as a PNG file (ISO/IEC 15948).

    Args:
        image: ``(height, width)`` or ``(height, width, 1)`` grey, or ``(height, width, 3)``
            colour, uint8.

    Raises:
        ValueError: for another shape or type.
    """
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.dtype != np.uint8 or image.shape[2:] not in ((), (3,)) or image.ndim < 2:
        raise ValueError(
            f"png takes uint8 pictures (height, width) or (height, width, 3); got {image.dtype} "
            f"{image.shape}."
        )
    height, width = image.shape[:2]
    colour = 0 if image.ndim == 2 else 2
    rows = image.reshape(height, -1)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], 1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def address(image: np.ndarray, low: float, high: float) -> str:
    """A picture as an address that holds it, its values from `low` to `high` as black to white."""
    scaled = (image.astype(np.float64) - low) / max(high - low, 1e-12)
    shades = np.clip(255 * scaled, 0, 255).astype(np.uint8)
    return "data:image/png;base64," + base64.b64encode(png(shades)).decode("ascii")
