"""Images read at other places: affine, perspective and elastic transforms."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_float
from slipstream.ops.image_filters import filter_channels, gaussian
from slipstream.ops.image_format import on_batch
from slipstream.ops.random import normal

op = operation("image")
_ORDERS = {"nearest": 0, "bilinear": 1}
_FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _check(name: str, interpolation: str, fill_mode: str) -> None:
    if interpolation not in _ORDERS:
        raise ValueError(
            f"{name}: interpolation must be 'nearest' or 'bilinear'; got {interpolation!r}."
        )
    if fill_mode not in _FILL_MODES:
        raise ValueError(
            f"{name}: fill_mode must be one of {', '.join(_FILL_MODES)}; got {fill_mode!r}."
        )


@op
def map_coordinates(
    inputs: Array, coordinates: Array, order: int, fill_mode: str = "constant", fill_value: Any = 0
) -> Any:
    """Values of an array between its elements.

    Args:
        inputs: array with n axes.
        coordinates: ``(n, …)`` places along each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: what lies outside: ``constant`` (`fill_value`), ``nearest``, ``wrap``,
            ``mirror`` or ``reflect``.

    Returns:
        ``(…)``, in the inputs' type.
    """
    inputs, coordinates = jnp.asarray(inputs), as_float(coordinates)
    if order not in (0, 1):
        raise ValueError(f"map_coordinates: order must be 0 or 1; got {order!r}.")
    if coordinates.shape[0] != inputs.ndim:
        raise ValueError(
            f"map_coordinates: coordinates of shape {coordinates.shape} need {inputs.ndim} rows, "
            f"one for each axis of inputs of shape {inputs.shape}."
        )
    _check("map_coordinates", "nearest", fill_mode)
    return jax.scipy.ndimage.map_coordinates(
        inputs, list(coordinates), order, fill_mode, fill_value
    )


def _sample(
    batch: Any, rows: Any, columns: Any, interpolation: str, fill_mode: str, fill_value: Any
) -> Any:
    """Each image at its own places ``(batch, height, width)``."""

    def channel(plane: Any, row: Any, column: Any) -> Any:
        return jax.scipy.ndimage.map_coordinates(
            plane, [row, column], _ORDERS[interpolation], fill_mode, fill_value
        )

    over_channels = jax.vmap(channel, (-1, None, None), -1)
    return jax.vmap(over_channels)(batch, rows, columns)


def _grid(batch: Any, dtype: Any) -> tuple[Any, Any]:
    height, width = batch.shape[1:3]
    rows, columns = jnp.meshgrid(
        jnp.arange(height, dtype=dtype), jnp.arange(width, dtype=dtype), indexing="ij"
    )
    return rows, columns


def _project(batch: Any, numbers: Any) -> tuple[Any, Any]:
    """Rows and columns where the 8 numbers of each image send each of its pixels."""
    a, b, c, d, e, f, g, h = jnp.moveaxis(numbers, -1, 0)[:, :, None, None]
    y, x = _grid(batch, numbers.dtype)
    k = g * x + h * y + 1
    return (d * x + e * y + f) / k, (a * x + b * y + c) / k


@op
def affine_transform(
    images: Array,
    transform: Array,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Any:
    """Pixel (x, y) of the result is the image at ``(a x + b y + c, d x + e y + f) / k``.

    Here ``k = g x + h y + 1``.

    Args:
        images: ``(batch, height, width, channels)`` or one image.
        transform: ``(batch, 8)`` or ``(8,)`` numbers ``a b c d e f g h``.
        interpolation: ``nearest`` or ``bilinear``.
        fill_mode, fill_value: what lies outside, as in `map_coordinates`.
    """
    _check("affine_transform", interpolation, fill_mode)
    transform = as_float(transform)
    if transform.shape[-1:] != (8,) or transform.ndim > 2:
        raise ValueError(
            f"affine_transform: transform must be (batch, 8) or (8,); got shape {transform.shape}."
        )

    def apply(batch: Any) -> Any:
        numbers = jnp.broadcast_to(jnp.atleast_2d(transform), (batch.shape[0], 8))
        rows, columns = _project(batch, numbers)
        return _sample(batch, rows, columns, interpolation, fill_mode, fill_value)

    return on_batch("affine_transform", apply, images, data_format)


def _homography(points: Any, targets: Any) -> Any:
    """The 8 numbers h with ``targets = (h0 x + h1 y + h2, h3 x + h4 y + h5) / (h6 x + h7 y + 1)``.

    Args:
        points, targets: ``(4, 2)``.
    """
    x, y = points[:, 0], points[:, 1]
    u, v = targets[:, 0], targets[:, 1]
    one, zero = jnp.ones_like(x), jnp.zeros_like(x)
    first = jnp.stack([x, y, one, zero, zero, zero, -x * u, -y * u], -1)
    second = jnp.stack([zero, zero, zero, x, y, one, -x * v, -y * v], -1)
    return jnp.linalg.solve(jnp.concatenate([first, second]), jnp.concatenate([u, v]))


@op
def perspective_transform(
    images: Array,
    start_points: Array,
    end_points: Array,
    interpolation: str = "bilinear",
    fill_value: Any = 0,
    data_format: str | None = None,
) -> Any:
    """Images seen from elsewhere, so that four points come to lie where four others were.

    Args:
        images: ``(batch, height, width, channels)`` or one image.
        start_points, end_points: ``(batch, 4, 2)`` or ``(4, 2)`` points (x, y): what the image
            has at the start points is at the end points of the result.
        interpolation: ``nearest`` or ``bilinear``.
        fill_value: what lies outside.
    """
    _check("perspective_transform", interpolation, "constant")
    start, end = as_float(start_points), as_float(end_points)
    if start.shape[-2:] != (4, 2) or end.shape != start.shape:
        raise ValueError(
            "perspective_transform: start_points and end_points must both be (batch, 4, 2) or "
            f"(4, 2); got shapes {start.shape} and {end.shape}."
        )

    def apply(batch: Any) -> Any:
        shape = (batch.shape[0], 4, 2)
        starts, ends = (jnp.broadcast_to(p.reshape(-1, 4, 2), shape) for p in (start, end))
        rows, columns = _project(batch, jax.vmap(_homography)(ends, starts))
        return _sample(batch, rows, columns, interpolation, "constant", fill_value)

    return on_batch("perspective_transform", apply, images, data_format)


@op
def elastic_transform(
    images: Array,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: Any = 0.0,
    seed: Any = None,
    data_format: str | None = None,
) -> Any:
    """Images with their pixels moved by smooth random distances (Simard et al. 2003).

    Args:
        images: ``(batch, height, width, channels)`` or one image.
        alpha: how far.
        sigma: how smooth: the standard deviation of the window that averages the distances.
        interpolation, fill_mode, fill_value: as in `affine_transform`.
        seed: None, a whole number, or a `SeedGenerator`.
    """
    _check("elastic_transform", interpolation, fill_mode)

    def apply(batch: Any) -> Any:
        size = int(6 * sigma) | 1
        weights = gaussian(size, sigma, jnp.float32)
        noise = normal((*batch.shape[:3], 2), stddev=sigma, dtype="float32", seed=seed)
        shift = alpha * filter_channels(noise, jnp.outer(weights, weights))
        y, x = _grid(batch, jnp.float32)
        rows, columns = y + shift[..., 0], x + shift[..., 1]
        return _sample(batch, rows, columns, interpolation, fill_mode, fill_value)

    return on_batch("elastic_transform", apply, images, data_format)
