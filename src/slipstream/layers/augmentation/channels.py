"""Figures of each channel of a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp


def of_channels(reduce: Callable[..., Any], images: Any) -> Any:
    """The least, the greatest or the mean of each channel, ``(batch, 1, 1, channels)``.

    First over rows, with columns and channels as one axis, then over each channel's columns. Two
    reductions in a row would be joined to one, whose last axis is too short for a CPU's vectors.

    Args:
        reduce: such as ``jnp.min``; of the figures of a channel's columns it makes the channel's.
        images: ``(batch, height, width, channels)``.
    """
    batch, height, width, channels = images.shape
    columns = reduce(images.reshape(batch, height, width * channels), 1)
    figures = [reduce(columns[:, place::channels], 1) for place in range(channels)]
    return jnp.stack(figures, -1)[:, None, None, :]
