"""Convolutions of any rank, forwards and transposed, and the sizes they give.

Inputs are ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` where
`channels_last` is False; kernels are always ``(*window, …, …)`` with channels at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import lax


def convolve(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    groups: int = 1,
    channels_last: bool = True,
) -> Any:
    """Cross-correlation, as deep learning calls convolution.

    Args:
        x: input, of the kernel's type.
        kernel: ``(*window, channels / groups, filters)``.
        strides, dilation: one number for each spatial axis.
        padding: ``"valid"``, ``"same"``, or ``"causal"`` (all of it before the input).
        groups: how many parts channels and filters are cut into; part i sees part i only.
        channels_last: where the channels of input and output are.
    """
    rank = x.ndim - 2
    dilation = tuple(dilation or (1,) * rank)
    pads: Any = padding.upper()
    if padding == "causal":
        pads = [(_reach(k, d) - 1, 0) for k, d in zip(kernel.shape, dilation[:rank])]
    return lax.conv_general_dilated(
        x,
        kernel,
        tuple(strides),
        pads,
        rhs_dilation=dilation,
        dimension_numbers=_layout(rank, channels_last),
        feature_group_count=groups,
    )


def convolve_transpose(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    channels_last: bool = True,
) -> Any:
    """The gradient of `convolve` for its input, as an operation: it widens by the strides.

    The whole result has ``(size - 1) * stride + reach`` positions along an axis. What
    `transposed_size` leaves out of it is cut away at both ends, the odd one at the far end.

    Args:
        kernel: ``(*window, filters, channels)``, as it is in the convolution that this transposes.
        output_padding: see `transposed_size`.
    """
    rank = x.ndim - 2
    dilation = tuple(dilation or (1,) * rank)
    sizes = x.shape[1:-1] if channels_last else x.shape[2:]
    pads = []
    for axis, (size, stride) in enumerate(zip(sizes, strides)):
        window, step = kernel.shape[axis], dilation[axis]
        extra = None if output_padding is None else output_padding[axis]
        wanted = transposed_size(size, window, stride, padding, step, extra)
        reach = _reach(window, step)
        whole = (size - 1) * stride + reach
        before = max(whole - wanted, 0) // 2
        pads.append((reach - 1 - before, reach - 1 - (whole - wanted - before)))
    return lax.conv_general_dilated(
        x,
        jnp.swapaxes(jnp.flip(kernel, range(rank)), -1, -2),
        (1,) * rank,
        pads,
        lhs_dilation=tuple(strides),
        rhs_dilation=dilation,
        dimension_numbers=_layout(rank, channels_last),
    )


def depthwise(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    channels_last: bool = True,
) -> Any:
    """Each channel convolved by itself with kernels of its own.

    Args:
        kernel: ``(*window, channels, multiplier)``; output channel ``c * multiplier + m`` comes
            from channel c.
    """
    *window, channels, multiplier = kernel.shape
    kernel = kernel.reshape(*window, 1, channels * multiplier)
    return convolve(x, kernel, strides, padding, dilation, channels, channels_last)


def output_size(
    size: int | None, window: int, stride: int, padding: str, dilation: int = 1
) -> int | None:
    """Number of windows along an axis of this size; at most 0 where not even one fits."""
    if size is None:
        return None
    if padding == "valid":
        size -= _reach(window, dilation) - 1
    return -(-size // stride)


def transposed_size(
    size: int | None,
    window: int,
    stride: int,
    padding: str,
    dilation: int = 1,
    output_padding: int | None = None,
) -> int | None:
    """Size that a transposed convolution gives to an axis of this size.

    Several sizes would shrink to the same one under a stride; `output_padding`, below the
    stride, chooses among them. None takes the largest for ``"valid"`` and ``size * stride`` for
    ``"same"``.
    """
    if size is None:
        return None
    reach = _reach(window, dilation)
    if output_padding is None:
        return size * stride + (max(reach - stride, 0) if padding == "valid" else 0)
    cut = 2 * (reach // 2) if padding == "same" else 0
    return (size - 1) * stride + reach - cut + output_padding


def _reach(window: int, dilation: int) -> int:
    """Positions between the first and the last that a dilated window touches, both counted."""
    return (window - 1) * dilation + 1


def _layout(rank: int, channels_last: bool) -> tuple[str, str, str]:
    spatial = "DHW"[3 - rank :]
    data = f"N{spatial}C" if channels_last else f"NC{spatial}"
    return data, f"{spatial}IO", data
