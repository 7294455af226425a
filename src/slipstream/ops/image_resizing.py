"""Images of another size: resized, cropped, padded."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.operation import Array, Index, operation
from slipstream.kernels.resampling import resize_linear
from slipstream.ops.define import as_float, as_tuple
from slipstream.ops.image_format import channels_first, check_rank, on_batch, to_type

op = operation("image")
_METHODS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")


@op
def resize(
    images: Array,
    size: Any,
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Any:
    """Images of the given height and width, in their own type.

    Args:
        images: ``(batch, height, width, channels)`` or one image.
        size: ``(height, width)``.
        interpolation: ``bilinear``, ``nearest``, ``bicubic``, ``lanczos3`` or ``lanczos5``.
        antialias: widen the filter when making images smaller.
        crop_to_aspect_ratio: cut away what has not the new proportions, instead of distorting.
        pad_to_aspect_ratio: add a border of `fill_value` to that end.
        fill_mode: ``"constant"``.
        data_format: place of the channels; `image_data_format()` if not given.

    Raises:
        ValueError: for arguments out of these.
    """
    if interpolation not in _METHODS:
        raise ValueError(
            f"resize: interpolation must be one of {', '.join(_METHODS)}; got {interpolation!r}."
        )
    if len(size) != 2:
        raise ValueError(f"resize: size must be (height, width); got {size!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("resize: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other.")
    if fill_mode != "constant":
        raise ValueError(f"resize: fill_mode must be 'constant'; got {fill_mode!r}.")
    wanted = (int(size[0]), int(size[1]))

    def apply(batch: Any) -> Any:
        if crop_to_aspect_ratio:
            batch = _crop_to_ratio(batch, wanted)
        elif pad_to_aspect_ratio:
            batch = _pad_to_ratio(batch, wanted, fill_value)
        shape = (batch.shape[0], *wanted, batch.shape[-1])
        floats = batch if interpolation == "nearest" else as_float(batch)
        if interpolation == "bilinear":
            result = resize_linear(floats, shape, antialias)
        else:
            result = jax.image.resize(floats, shape, interpolation, antialias=antialias)
        return to_type(result, batch.dtype)

    return on_batch("resize", apply, images, data_format)


def _crop_to_ratio(batch: Any, wanted: tuple[int, int]) -> Any:
    _, height, width, _ = batch.shape
    crop_height = max(min(height, int(width * wanted[0] / wanted[1])), 1)
    crop_width = max(min(width, int(height * wanted[1] / wanted[0])), 1)
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return batch[:, top : top + crop_height, left : left + crop_width]


def _pad_to_ratio(batch: Any, wanted: tuple[int, int], value: float) -> Any:
    _, height, width, _ = batch.shape
    rows = (max(height, int(width * wanted[0] / wanted[1])) - height) // 2
    columns = (max(width, int(height * wanted[1] / wanted[0])) - width) // 2
    border = ((0, 0), (rows, rows), (columns, columns), (0, 0))
    return jnp.pad(batch, border, constant_values=value)


@op
def scale_and_translate(
    images: Array,
    output_shape: Index,
    scale: Array,
    translation: Array,
    spatial_dims: Any,
    method: str,
    antialias: bool = True,
) -> Any:
    """Images scaled and moved along some axes, resampled to `output_shape`.

    Args:
        images: array of any shape.
        output_shape: shape of the result, with as many axes.
        scale, translation: one number for each of `spatial_dims`.
        method: ``linear``, ``cubic``, ``lanczos3`` or ``lanczos5``.
    """
    return jax.image.scale_and_translate(
        as_float(images),
        tuple(output_shape),
        tuple(spatial_dims),
        as_float(scale),
        as_float(translation),
        method,
        antialias,
    )


def _borders(
    name: str, sides: tuple[int | None, int | None], size: int, target: int | None, sign: int
) -> tuple[int, int]:
    """Both of an axis' borders, from two of: the first, the last, and the size wanted.

    `sign` is 1 where borders make the axis longer, -1 where they make it shorter.
    """
    if sum(value is None for value in (*sides, target)) != 1:
        raise ValueError(
            f"{name}: along each axis give two of the first side, the last side and the target "
            f"size; got {sides[0]}, {sides[1]} and {target}."
        )
    before, after = sides
    if target is not None:
        total = sign * (target - size)
        before = total - after if before is None and after is not None else before
        after = total - before if after is None and before is not None else after
    assert before is not None and after is not None
    if before < 0 or after < 0 or sign * (before + after) + size <= 0:
        raise ValueError(
            f"{name}: an axis of size {size} cannot have the borders {before} and {after}"
            + ("." if target is None else f", which target size {target} asks for.")
        )
    return before, after


@op
def crop_images(
    images: Array,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images without so many rows and columns; along each axis give two of the three numbers.

    Raises:
        ValueError: if there are more or fewer, or nothing would be left.
    """
    x = jnp.asarray(images)
    check_rank("crop_images", x, (3, 4))
    first = channels_first("crop_images", data_format)
    height, width = x.shape[-2:] if first else x.shape[-3:-1]
    top, bottom = _borders(
        "crop_images", (top_cropping, bottom_cropping), height, target_height, -1
    )
    left, right = _borders("crop_images", (left_cropping, right_cropping), width, target_width, -1)
    if first:
        return x[..., top : height - bottom, left : width - right]
    return x[..., top : height - bottom, left : width - right, :]


@op
def pad_images(
    images: Array,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Any:
    """Images with so many rows and columns of zeros; along each axis give two of the numbers.

    Raises:
        ValueError: if there are more or fewer, or a target is smaller than the image.
    """
    x = jnp.asarray(images)
    rank = check_rank("pad_images", x, (3, 4))
    first = channels_first("pad_images", data_format)
    height, width = x.shape[-2:] if first else x.shape[-3:-1]
    rows = _borders("pad_images", (top_padding, bottom_padding), height, target_height, 1)
    columns = _borders("pad_images", (left_padding, right_padding), width, target_width, 1)
    around = [(0, 0)] * (rank - 3)
    return jnp.pad(
        x, [*around, (0, 0), rows, columns] if first else [*around, rows, columns, (0, 0)]
    )


@operation("image", filled={"data_format": config.image_data_format})
def extract_patches(
    images: Array,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Patches of images as the channels of one pixel each.

    Args:
        images: ``(batch, height, width, channels)`` or one image; volumes if `size` has three
            numbers.
        size: of a patch: a number for all axes, or one for each.
        strides: from one patch to the next; `size` if not given.
        dilation_rate: distance between the pixels of a patch.
        padding: ``"valid"`` or ``"same"``.

    Returns:
        ``(batch, rows, columns, window * channels)``, channels changing fastest.
    """
    rank = len(size) if isinstance(size, (tuple, list)) else 2
    window = as_tuple(size, rank)
    x = jnp.asarray(images)
    first = channels_first("extract_patches", data_format)
    single = check_rank("extract_patches", x, (rank + 1, rank + 2)) == rank + 1
    x = x[None] if single else x
    x = x if first else jnp.moveaxis(x, -1, 1)
    patches = jax.lax.conv_general_dilated_patches(
        x,
        window,
        window if strides is None else as_tuple(strides, rank),
        padding.upper(),
        rhs_dilation=as_tuple(dilation_rate, rank),
    )
    batch, channels, places = x.shape[0], x.shape[1], patches.shape[2:]
    patches = patches.reshape(batch, channels, -1, *places)
    patches = jnp.swapaxes(patches, 1, 2).reshape(batch, -1, *places)
    patches = patches if first else jnp.moveaxis(patches, 1, -1)
    return patches[0] if single else patches


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """`extract_patches` of volumes ``(batch, depth, height, width, channels)``."""
    if isinstance(size, int):
        size = (size,) * 3
    return extract_patches(volumes, tuple(size), strides, dilation_rate, padding, data_format)
