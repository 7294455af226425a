"""Filters over images, and the similarity that compares filtered ones."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.operation import Array, operation
from slipstream.kernels.convolution import depthwise
from slipstream.ops.define import as_float, as_tuple
from slipstream.ops.image_format import channels_first, check_rank, on_batch

op = operation("image")


def gaussian(size: int, sigma: Any, dtype: Any) -> Any:
    """``(size,)`` points of a normal density about the middle, with sum 1."""
    distance = (jnp.arange(size, dtype=dtype) - (size - 1) / 2) / sigma
    weights = jnp.exp(-0.5 * distance**2)
    return weights / jnp.sum(weights)


def filter_channels(images: Any, window: Any, padding: str = "same") -> Any:
    """Each channel of ``(batch, height, width, channels)`` filtered by ``(rows, columns)``."""
    channels = images.shape[-1]
    kernel = jnp.broadcast_to(window[..., None, None], (*window.shape, channels, 1))
    return depthwise(images, kernel.astype(images.dtype), (1, 1), padding)


@op
def gaussian_blur(
    images: Array,
    kernel_size: Any = (3, 3),
    sigma: Any = (1.0, 1.0),
    data_format: str | None = None,
) -> Any:
    """Images blurred by a Gaussian window; what lies outside of them counts as 0.

    Args:
        images: ``(batch, height, width, channels)`` or one image.
        kernel_size: columns and rows of the window.
        sigma: standard deviations across and down.
    """
    images = as_float(images)
    (columns, rows), (across, down) = as_tuple(kernel_size, 2), as_tuple(sigma, 2)
    window = jnp.outer(gaussian(rows, down, images.dtype), gaussian(columns, across, images.dtype))
    return on_batch(
        "gaussian_blur", lambda batch: filter_channels(batch, window), images, data_format
    )


_SOBEL = np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], "float32")


@op
def sobel_edges(images: Array, data_format: str | None = None) -> Any:
    """Differences of brightness down and across, by Sobel's windows, as a new last axis.

    What lies outside of the images counts as 0.

    Args:
        images: ``(batch, height, width, channels)``, or channels first.

    Returns:
        ``(*images.shape, 2)``.
    """
    images = as_float(images)
    first = channels_first("sobel_edges", data_format)
    check_rank("sobel_edges", images, (4,))
    batch = jnp.moveaxis(images, -3, -1) if first else images
    both = jnp.stack([filter_channels(batch, jnp.asarray(w)) for w in (_SOBEL, _SOBEL.T)], -1)
    return jnp.moveaxis(both, -2, -4) if first else both


@operation("image", "SSIM")
def ssim(
    image1: Array,
    image2: Array,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """Structural similarity of pairs of images, at most 1 (Wang et al. 2004).

    Args:
        image1, image2: ``(batch, height, width, channels)`` or single images.
        max_val: largest less smallest value that a pixel can have.
        filter_size, filter_sigma: of the Gaussian window of the local statistics; the window is
            no larger than the image.
        k1, k2: constants that steady the quotients.

    Returns:
        ``(batch,)``.
    """
    first, second = as_float(image1), as_float(image2)
    if channels_first("ssim", data_format):
        first, second = jnp.moveaxis(first, -3, -1), jnp.moveaxis(second, -3, -1)
    if first.shape != second.shape:
        raise ValueError(
            f"ssim: the images must have one shape; got {first.shape} and {second.shape}."
        )
    single = first.ndim == 3
    if single:
        first, second = first[None], second[None]
    size = min(filter_size, *first.shape[1:3])
    weights = gaussian(size, filter_sigma, first.dtype)
    window = jnp.outer(weights, weights)

    def local(values: Any) -> Any:
        return filter_channels(values, window, "valid")

    mean1, mean2 = local(first), local(second)
    variances = local(first * first + second * second) - mean1**2 - mean2**2
    covariance = local(first * second) - mean1 * mean2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    luminance = (2 * mean1 * mean2 + c1) / (mean1**2 + mean2**2 + c1)
    values = jnp.mean(luminance * (2 * covariance + c2) / (variances + c2), (1, 2, 3))
    return values[0] if single else values
