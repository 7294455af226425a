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
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.kernels import forms, native
from slipstream.kernels.dense import product, scaled_product
from slipstream.kernels.finish import AS_THEY_ARE, finished, scaled, top_of
from slipstream.kernels.geometry import Geometry, Shape, reach, result_shape, transposed_size


def convolve(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    groups: int = 1,
    channels_last: bool = True,
    bias: Any = None,
    relu: bool = False,
    scale: Any = None,
    top: float = AS_THEY_ARE,
) -> Any:
    """Cross-correlation, as deep learning calls convolution.

    Args:
        x: input, of the kernel's type.
        kernel: ``(*window, channels / groups, filters)``.
        strides, dilation: one number for each spatial axis.
        padding: ``"valid"``, ``"same"``, or ``"causal"`` (all of it before the input).
        groups: how many parts channels and filters are cut into; part i sees part i only.
        channels_last: where the channels of input and output are.
        bias: ``(filters,)``, added to the result.
        relu: whether negative results become 0.
        scale: ``(filters,)``, what the result is multiplied by before; needs a bias. Then `top`
            stands for `relu`: results lie from 0 to it, or are as they are if it is negative.
    """
    rank = x.ndim - 2
    dilation = tuple(dilation or (1,) * rank)
    sizes = x.shape[1:-1] if channels_last else x.shape[2:]
    reaches = [reach(k, d) for k, d in zip(kernel.shape, dilation)]
    if padding == "causal":
        pads = [(n - 1, 0) for n in reaches]
    else:
        pads = lax.padtype_to_pads(sizes, reaches, strides, padding.upper())
    geometry = Geometry(tuple(strides), tuple((low, high) for low, high in pads), dilation, groups)
    if not channels_last:
        x = jnp.moveaxis(x, 1, -1)
    if scale is not None:
        y = _scaled(x, kernel, scale, bias, top, geometry)
    elif geometry.is_product(kernel.shape):
        y = product(x, kernel.reshape(kernel.shape[-2:]), bias, relu)
    elif bias is None and not relu:
        y = convolution.bind(x, kernel, geometry=geometry)
    else:
        bias = jnp.zeros(kernel.shape[-1], x.dtype) if bias is None else bias
        y = finished_convolution.bind(x, kernel, bias, geometry=geometry, relu=relu)
    return y if channels_last else jnp.moveaxis(y, -1, 1)


def _scaled(x: Any, kernel: Any, scale: Any, bias: Any, top: float, geometry: Geometry) -> Any:
    if geometry.is_product(kernel.shape):
        return scaled_product(x, kernel.reshape(kernel.shape[-2:]), scale, bias, top)
    return scaled_convolution.bind(x, kernel, scale, bias, geometry=geometry, top=top)


def convolve_transpose(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    channels_last: bool = True,
    bias: Any = None,
    relu: bool = False,
) -> Any:
    """The gradient of `convolve` for its input, as an operation: it widens by the strides.

    The whole result has ``(size - 1) * stride + reach`` positions along an axis. What
    `transposed_size` leaves out of it is cut away at both ends, the odd one at the far end.

    Args:
        kernel: ``(*window, filters, channels)``, as it is in the convolution that this transposes.
        output_padding: see `transposed_size`.
        bias, relu: see `convolve`.
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
        whole = (size - 1) * stride + reach(window, step)
        before = max(whole - wanted, 0) // 2
        pads.append((before, whole - wanted - before))
        wide.append(wanted)
    geometry = Geometry(tuple(strides), tuple(pads), dilation, 1)
    shape = (x.shape[0], *wide, kernel.shape[-2])
    if bias is None and not relu:
        y = input_gradient.bind(x, kernel, geometry=geometry, shape=shape)
    else:
        bias = jnp.zeros(kernel.shape[-2], x.dtype) if bias is None else bias
        y = finished_transpose.bind(x, kernel, bias, geometry=geometry, shape=shape, relu=relu)
    return y if channels_last else jnp.moveaxis(y, -1, 1)


def depthwise(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    padding: str = "valid",
    dilation: Sequence[int] | None = None,
    channels_last: bool = True,
    **ending: Any,
) -> Any:
    """Each channel convolved by itself with kernels of its own.

    Args:
        kernel: ``(*window, channels, multiplier)``; output channel ``c * multiplier + m`` comes
            from channel c.
        ending: bias, ReLU and scale; see `convolve`.
    """
    *window, channels, multiplier = kernel.shape
    kernel = kernel.reshape(*window, 1, channels * multiplier)
    return convolve(x, kernel, strides, padding, dilation, channels, channels_last, **ending)


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


def _compiled(
    name: str,
    one: Any,
    other: Any,
    bias: Any = None,
    *,
    geometry: Geometry,
    shape: Shape,
    relu: bool = False,
    scale: Any = None,
    top: float | None = None,
) -> Any:
    """The CPU's own form, which knows three spatial axes: missing ones have size 1."""
    rank = len(geometry.strides)
    of_kernel = name.endswith("kernel_gradient")
    kernel = shape if of_kernel else other.shape
    if kernel[-2] == 1 and (geometry.groups > 1 or kernel[-1] == 1):  # channels do not meet
        name = name.replace("convolution", "depthwise")
    ones = (1,) * (3 - rank)

    def wide(shape: Shape, is_kernel: bool) -> Shape:
        return (*ones, *shape) if is_kernel else (shape[0], *ones, *shape[1:])

    operands = [
        one.reshape(wide(one.shape, False)),
        other.reshape(wide(other.shape, not of_kernel)),
    ]
    attributes: dict[str, Any] = {}
    if name in _FINISHING:
        none = jnp.zeros(0, one.dtype)
        operands += [none if numbers is None else numbers for numbers in (scale, bias)]
        attributes["top"] = top_of(relu) if top is None else top
    elif bias is not None:  # a form that only sums
        sums = _compiled(name, one, other, geometry=geometry, shape=shape) + bias
        return jnp.maximum(sums, 0) if relu else sums
    return native.call(
        name,
        jax.ShapeDtypeStruct(wide(shape, of_kernel), one.dtype),
        *operands,
        stride=(*ones, *geometry.strides),
        dilation=(*ones, *geometry.dilation),
        low=(*(0 for _ in ones), *(pad[0] for pad in geometry.pads)),
        groups=geometry.groups,
        **attributes,
    ).reshape(shape)


# Those that can scale, add a bias and cut off negative numbers.
_FINISHING = ("convolution", "convolution_input_gradient", "depthwise")


def _fits(one: Any, other: Any, *, geometry: Geometry, shape: Shape = ()) -> bool:
    empty = 0 in (*one.shape, *other.shape, *shape)
    return forms.floats(one, other) and len(geometry.strides) <= 3 and not empty


def _flops(y: Shape, kernel: Shape) -> float:
    return 2.0 * prod(y) * prod(kernel[:-1])


def _forward(
    x: Any, kernel: Any, bias: Any = None, *, geometry: Geometry, relu: bool = False
) -> Any:
    shape = result_shape(x.shape, kernel.shape, geometry)
    return _compiled("convolution", x, kernel, bias, geometry=geometry, shape=shape, relu=relu)


def _forward_scaled(
    x: Any, kernel: Any, scale: Any, bias: Any, *, geometry: Geometry, top: float
) -> Any:
    shape = result_shape(x.shape, kernel.shape, geometry)
    how = {"geometry": geometry, "shape": shape, "scale": scale, "top": top}
    return _compiled("convolution", x, kernel, bias, **how)


def _forward_flops(x: Any, kernel: Any, geometry: Geometry) -> float:
    return _flops(result_shape(x.shape, kernel.shape, geometry), kernel.shape)


def _backward_flops(dy: Any, kernel: Any, geometry: Geometry, shape: Shape) -> float:
    return _flops(dy.shape, kernel.shape)


_backward = partial(_compiled, "convolution_input_gradient")

convolution = forms.operation("convolution", _convolution, _forward, _fits, flops=_forward_flops)
input_gradient = forms.operation(
    "convolution_input_gradient", _input_gradient, _backward, _fits, flops=_backward_flops
)
kernel_gradient = forms.operation(
    "convolution_kernel_gradient",
    _kernel_gradient,
    partial(_compiled, "convolution_kernel_gradient"),
    _fits,
    flops=lambda x, dy, geometry, shape: _flops(dy.shape, shape),
)
finished_convolution = finished(
    "finished_convolution", convolution, _convolution, _forward, _fits, _forward_flops
)
scaled_convolution = scaled(
    "scaled_convolution", convolution, _forward_scaled, _fits, _forward_flops
)
finished_transpose = finished(
    "finished_transpose", input_gradient, _input_gradient, _backward, _fits, _backward_flops
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
