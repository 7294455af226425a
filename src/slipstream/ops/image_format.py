"""What the image operations share: one image or a batch, and the place of the channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from slipstream.core import config


def channels_first(name: str, data_format: str | None) -> bool:
    """Whether channels come before height and width.

    Raises:
        ValueError: for a `data_format` that is none.
    """
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"{name}: data_format must be 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    return data_format == "channels_first"


def on_batch(
    name: str, function: Callable[[Any], Any], images: Any, data_format: str | None
) -> Any:
    """``function(images)`` for ``(batch, height, width, channels)``, whatever comes in.

    Args:
        images: ``(batch, height, width, channels)`` or one image, channels where `data_format`
            says.

    Raises:
        ValueError: for another number of axes.
    """
    first = channels_first(name, data_format)
    images = jnp.asarray(images)
    single = check_rank(name, images, (3, 4)) == 3
    if first:
        images = jnp.moveaxis(images, -3, -1)
    if single:
        images = images[None]
    images = function(images)
    if single:
        images = images[0]
    return jnp.moveaxis(images, -1, -3) if first else images


def check_rank(name: str, images: Any, ranks: tuple[int, ...]) -> int:
    """Number of axes, which must be one of `ranks`."""
    if images.ndim not in ranks:
        raise ValueError(
            f"{name} wants one image (height, width, channels) or a batch of them, "
            f"{' or '.join(map(str, ranks))} axes; got shape {images.shape}."
        )
    return images.ndim


def to_type(values: Any, dtype: Any) -> Any:
    """Floats as `dtype`, rounded and kept within its limits where it is a whole-number type."""
    if jnp.issubdtype(dtype, jnp.integer):
        limits = jnp.iinfo(dtype)
        values = jnp.clip(jnp.round(values), limits.min, limits.max)
    return values.astype(dtype)
