"""Convolutions and pooling of any rank: ``(batch, *spatial, channels)``, or channels first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, operation
from slipstream.kernels import adaptive_pooling, convolution, pooling
from slipstream.ops.define import as_tuple

op = operation("nn", filled={"data_format": config.image_data_format})


def _channels_last(data_format: str | None) -> bool:
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    return data_format == "channels_last"


def _same_type(*arrays: Any) -> list[Any]:
    """In one float type, so that the engine multiplies them as they are."""
    dtype = jnp.result_type(*arrays)
    return [jnp.asarray(array, dtype) for array in arrays]


def _padding(padding: str) -> str:
    if padding.lower() not in ("valid", "same"):
        raise ValueError(f"padding must be 'valid' or 'same'; got {padding!r}.")
    return padding.lower()


@op
def conv(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Convolution, as deep learning calls a cross-correlation.

    Args:
        kernel: ``(*window, channels / groups, filters)``; the number of groups follows.
        strides: for all spatial axes or each.
        padding: ``"valid"`` or ``"same"``.
        dilation_rate: distance between the inputs that neighbours of the window meet.
    """
    inputs, kernel = _same_type(inputs, kernel)
    last, rank = _channels_last(data_format), inputs.ndim - 2
    channels = inputs.shape[-1 if last else 1]
    if channels % kernel.shape[-2]:
        raise ValueError(
            f"conv: the input has {channels} channels, which is no multiple of the kernel's "
            f"{kernel.shape[-2]} (kernel shape {kernel.shape}, input shape {inputs.shape})."
        )
    return convolution.convolve(
        inputs,
        kernel,
        as_tuple(strides, rank),
        _padding(padding),
        as_tuple(dilation_rate, rank),
        channels // kernel.shape[-2],
        last,
    )


@op
def conv_transpose(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """The gradient of `conv` for its input, as an operation: it widens by the strides.

    Args:
        kernel: ``(*window, filters, channels)``.
        output_padding: further positions at the end of each axis; follows if not given.
    """
    inputs, kernel = _same_type(inputs, kernel)
    rank = inputs.ndim - 2
    return convolution.convolve_transpose(
        inputs,
        kernel,
        as_tuple(strides, rank),
        _padding(padding),
        as_tuple(dilation_rate, rank),
        None if output_padding is None else as_tuple(output_padding, rank),
        _channels_last(data_format),
    )


@op
def depthwise_conv(
    inputs: Array,
    kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """Each channel with filters of its own.

    Args:
        kernel: ``(*window, channels, multiplier)``.
    """
    inputs, kernel = _same_type(inputs, kernel)
    rank = inputs.ndim - 2
    return convolution.depthwise(
        inputs,
        kernel,
        as_tuple(strides, rank),
        _padding(padding),
        as_tuple(dilation_rate, rank),
        _channels_last(data_format),
    )


@op
def separable_conv(
    inputs: Array,
    depthwise_kernel: Array,
    pointwise_kernel: Array,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """`depthwise_conv`, then a convolution with windows of one position.

    Args:
        depthwise_kernel: ``(*window, channels, multiplier)``.
        pointwise_kernel: ``(1, …, channels * multiplier, filters)``.
    """
    inputs, depthwise_kernel, pointwise_kernel = _same_type(
        inputs, depthwise_kernel, pointwise_kernel
    )
    rank, last = inputs.ndim - 2, _channels_last(data_format)
    middle = convolution.depthwise(
        inputs,
        depthwise_kernel,
        as_tuple(strides, rank),
        _padding(padding),
        as_tuple(dilation_rate, rank),
        last,
    )
    return convolution.convolve(middle, pointwise_kernel, (1,) * rank, channels_last=last)


@op
def max_pool(
    inputs: Array,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Largest element of each window; windows lie side by side unless `strides` says otherwise."""
    return _pool(pooling.max_pool, inputs, pool_size, strides, padding, data_format)


@op
def average_pool(
    inputs: Array,
    pool_size: Any,
    strides: Any = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Mean of each window; windows lie side by side unless `strides` says otherwise."""
    return _pool(pooling.average_pool, inputs, pool_size, strides, padding, data_format)


def _pool(
    pool: Callable[..., Any],
    inputs: Any,
    pool_size: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
) -> Any:
    inputs = jnp.asarray(inputs)
    window = as_tuple(pool_size, inputs.ndim - 2)
    steps = window if strides is None else as_tuple(strides, inputs.ndim - 2)
    return pool(inputs, window, steps, _padding(padding), _channels_last(data_format))


@op
def adaptive_max_pool(inputs: Array, output_size: Any, data_format: str | None = None) -> Any:
    """Largest element of each of `output_size` nearly equal parts of the spatial axes."""
    return _adaptive(adaptive_pooling.adaptive_max_pool, inputs, output_size, data_format)


@op
def adaptive_average_pool(inputs: Array, output_size: Any, data_format: str | None = None) -> Any:
    """Mean of each of `output_size` nearly equal parts of the spatial axes."""
    return _adaptive(adaptive_pooling.adaptive_average_pool, inputs, output_size, data_format)


def _adaptive(pool: Callable[..., Any], inputs: Any, output_size: Any, data_format: Any) -> Any:
    inputs = jnp.asarray(inputs)
    first = 1 if _channels_last(data_format) else 2
    axes = range(first, first + inputs.ndim - 2)
    return pool(inputs, as_tuple(output_size, inputs.ndim - 2), axes)
