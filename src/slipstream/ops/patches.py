"""Blocks and patches of images as channels, and back."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_tuple

op = operation("nn")


def _check_blocks(name: str, block_size: int, size: int, divisor: int) -> None:
    if block_size < 2 or size % divisor:
        raise ValueError(
            f"{name}: block_size must be at least 2, and {divisor} must divide {size}; got "
            f"block_size={block_size}."
        )


@op
def depth_to_space(x: Array, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels laid out as blocks of pixels.

    ``(batch, height, width, channels * block²)`` to ``(batch, height * block, width * block,
    channels)``. A pixel's place in its block changes slower than the channel with channels last,
    faster with channels first.
    """
    x, n = jnp.asarray(x), block_size
    if data_format == "channels_first":
        batch, channels, height, width = x.shape
        _check_blocks("depth_to_space", n, channels, n * n)
        x = x.reshape(batch, channels // n**2, n, n, height, width).transpose(0, 1, 4, 2, 5, 3)
        return x.reshape(batch, channels // n**2, height * n, width * n)
    batch, height, width, channels = x.shape
    _check_blocks("depth_to_space", n, channels, n * n)
    x = x.reshape(batch, height, width, n, n, channels // n**2).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height * n, width * n, channels // n**2)


@op
def space_to_depth(x: Array, block_size: int, data_format: str = "channels_last") -> Any:
    """Inverse of `depth_to_space`."""
    x, n = jnp.asarray(x), block_size
    if data_format == "channels_first":
        batch, channels, height, width = x.shape
        _check_blocks("space_to_depth", n, height, n)
        _check_blocks("space_to_depth", n, width, n)
        x = x.reshape(batch, channels, height // n, n, width // n, n).transpose(0, 1, 3, 5, 2, 4)
        return x.reshape(batch, channels * n**2, height // n, width // n)
    batch, height, width, channels = x.shape
    _check_blocks("space_to_depth", n, height, n)
    _check_blocks("space_to_depth", n, width, n)
    x = x.reshape(batch, height // n, n, width // n, n, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height // n, width // n, channels * n**2)


@op
def unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Patches of ``(batch, channels, height, width)`` images as columns.

    Returns:
        ``(batch, channels * window, patches)``.
    """
    x = jnp.asarray(x)
    window, step, pad, apart = (as_tuple(v, 2) for v in (kernel_size, stride, padding, dilation))
    patches = jax.lax.conv_general_dilated_patches(
        x, window, step, [(p, p) for p in pad], rhs_dilation=apart
    )
    return patches.reshape(*patches.shape[:2], -1)


@op
def fold(
    x: Array,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Any:
    """The image whose patches are these columns, added up where they overlap.

    Args:
        x: ``(batch, channels * window, patches)``.
        output_size: ``(height, width)``.

    Returns:
        ``(batch, channels, height, width)``.
    """
    x = jnp.asarray(x)
    height, width = as_tuple(output_size, 2)
    window, step, pad, apart = (as_tuple(v, 2) for v in (kernel_size, stride, padding, dilation))
    batch, rows, _ = x.shape
    shape = (batch, rows // (window[0] * window[1]), height, width)

    def cut(image: Any) -> Any:
        return unfold(image, window, apart, pad, step)

    # Folding is the transpose of the linear unfolding.
    (image,) = jax.linear_transpose(cut, jax.ShapeDtypeStruct(shape, x.dtype))(x)
    return image
