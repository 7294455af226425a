"""Convolutions of any rank, forwards and transposed, and the sizes they give.

The layers' operations stand on three that are each other's gradients: `convolution`, its
`input_gradient` and its `kernel_gradient`. Those have forms of our own on the CPU.

Inputs are ``(batch, *spatial, channels)``, or ``(batch, channels, *spatial)`` where
`channels_last` is False; kernels are always ``(*window, …, …)`` with channels at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.kernels import forms, native
from slipstream.kernels.dense import product


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
    sizes = x.shape[1:-1] if channels_last else x.shape[2:]
    reaches = [_reach(k, d) for k, d in zip(kernel.shape, dilation)]
    if padding == "causal":
        pads = [(reach - 1, 0) for reach in reaches]
    else:
        pads = lax.padtype_to_pads(sizes, reaches, strides, padding.upper())
    geometry = Geometry(tuple(strides), tuple((low, high) for low, high in pads), dilation, groups)
    if not channels_last:
        x = jnp.moveaxis(x, 1, -1)
    if geometry.is_product(kernel.shape):
        y = product(x, kernel.reshape(kernel.shape[-2:]))
    else:
        y = convolution.bind(x, kernel, geometry=geometry)
    return y if channels_last else jnp.moveaxis(y, -1, 1)


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
    if not channels_last:
        x = jnp.moveaxis(x, 1, -1)
    pads, wide = [], []
    for axis, (size, stride) in enumerate(zip(x.shape[1:-1], strides)):
        window, step = kernel.shape[axis], dilation[axis]
        extra = None if output_padding is None else output_padding[axis]
        wanted = transposed_size(size, window, stride, padding, step, extra)
        whole = (size - 1) * stride + _reach(window, step)
        before = max(whole - wanted, 0) // 2
        pads.append((before, whole - wanted - before))
        wide.append(wanted)
    geometry = Geometry(tuple(strides), tuple(pads), dilation, 1)
    shape = (x.shape[0], *wide, kernel.shape[-2])
    y = input_gradient.bind(x, kernel, geometry=geometry, shape=shape)
    return y if channels_last else jnp.moveaxis(y, -1, 1)


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


class Geometry(NamedTuple):
    """How the windows of a convolution lie, a number or pair for each spatial axis.

    Attributes:
        pads: positions added before and after an axis; negative ones are cut off.
        groups: how many parts channels and filters are cut into.
    """

    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int

    def is_product(self, kernel: Shape) -> bool:
        """Whether windows are single positions, all of them: then it is a product of matrices."""
        strided = any(stride != 1 for stride in self.strides)
        padded = any(pad != (0, 0) for pad in self.pads)
        return set(kernel[:-2]) == {1} and self.groups == 1 and not strided and not padded


Shape = tuple[int, ...]


def _convolution(x: Any, kernel: Any, *, geometry: Geometry) -> Any:
    spatial = "DHW"[3 - len(geometry.strides) :]
    return lax.conv_general_dilated(
        x,
        kernel,
        geometry.strides,
        geometry.pads,
        rhs_dilation=geometry.dilation,
        dimension_numbers=(f"N{spatial}C", f"{spatial}IO", f"N{spatial}C"),
        feature_group_count=geometry.groups,
    )


def _input_gradient(dy: Any, kernel: Any, *, geometry: Geometry, shape: Shape) -> Any:
    x = jax.ShapeDtypeStruct(shape, dy.dtype)
    return jax.linear_transpose(lambda x: _convolution(x, kernel, geometry=geometry), x)(dy)[0]


def _kernel_gradient(x: Any, dy: Any, *, geometry: Geometry, shape: Shape) -> Any:
    kernel = jax.ShapeDtypeStruct(shape, dy.dtype)
    return jax.linear_transpose(lambda k: _convolution(x, k, geometry=geometry), kernel)(dy)[0]


def _output_shape(x: Shape, kernel: Shape, geometry: Geometry) -> Shape:
    sizes = (
        (size + sum(pad) - _reach(window, step)) // stride + 1
        for size, pad, window, step, stride in zip(
            x[1:-1], geometry.pads, kernel, geometry.dilation, geometry.strides
        )
    )
    return (x[0], *sizes, kernel[-1])


def _compiled(name: str, one: Any, other: Any, geometry: Geometry, shape: Shape) -> Any:
    """The CPU's own form, which knows three spatial axes: missing ones have size 1."""
    rank = len(geometry.strides)
    kernel = shape if name.endswith("kernel_gradient") else other.shape
    if kernel[-2] == 1 and (geometry.groups > 1 or kernel[-1] == 1):  # channels do not meet
        name = name.replace("convolution", "depthwise")
    ones = (1,) * (3 - rank)

    def wide(shape: Shape, is_kernel: bool) -> Shape:
        return (*ones, *shape) if is_kernel else (shape[0], *ones, *shape[1:])

    result = jax.ShapeDtypeStruct(wide(shape, name.endswith("kernel_gradient")), one.dtype)
    return native.call(
        name,
        result,
        one.reshape(wide(one.shape, False)),
        other.reshape(wide(other.shape, not name.endswith("kernel_gradient"))),
        stride=(*ones, *geometry.strides),
        dilation=(*ones, *geometry.dilation),
        low=(*(0 for _ in ones), *(pad[0] for pad in geometry.pads)),
        groups=geometry.groups,
    ).reshape(shape)


def _fits(one: Any, other: Any, *, geometry: Geometry, shape: Shape = ()) -> bool:
    empty = 0 in (*one.shape, *other.shape, *shape)
    return forms.floats(one, other) and len(geometry.strides) <= 3 and not empty


def _flops(y: Shape, kernel: Shape) -> float:
    return 2.0 * prod(y) * prod(kernel[:-1])


convolution = forms.operation(
    "convolution",
    _convolution,
    lambda x, kernel, geometry: _compiled(
        "convolution", x, kernel, geometry, _output_shape(x.shape, kernel.shape, geometry)
    ),
    _fits,
    flops=lambda x, kernel, geometry: _flops(
        _output_shape(x.shape, kernel.shape, geometry), kernel.shape
    ),
)
input_gradient = forms.operation(
    "convolution_input_gradient",
    _input_gradient,
    partial(_compiled, "convolution_input_gradient"),
    _fits,
    flops=lambda dy, kernel, geometry, shape: _flops(dy.shape, kernel.shape),
)
kernel_gradient = forms.operation(
    "convolution_kernel_gradient",
    _kernel_gradient,
    partial(_compiled, "convolution_kernel_gradient"),
    _fits,
    flops=lambda x, dy, geometry, shape: _flops(dy.shape, shape),
)
forms.bilinear(
    convolution,
    lambda dy, shape, kernel, geometry: input_gradient.bind(
        dy, kernel, geometry=geometry, shape=shape
    ),
    lambda dy, x, shape, geometry: kernel_gradient.bind(x, dy, geometry=geometry, shape=shape),
)
forms.bilinear(
    input_gradient,
    lambda dx, _, kernel, geometry, shape: convolution.bind(dx, kernel, geometry=geometry),
    lambda dx, dy, kernel, geometry, shape: kernel_gradient.bind(
        dx, dy, geometry=geometry, shape=kernel
    ),
)
forms.bilinear(
    kernel_gradient,
    lambda dk, x, dy, geometry, shape: input_gradient.bind(dy, dk, geometry=geometry, shape=x),
    lambda dk, x, _, geometry, shape: convolution.bind(x, dk, geometry=geometry),
)
