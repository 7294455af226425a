"""What is done to each number of pictures by itself, by one or two numbers of each picture's own.

XLA reads pictures twice where a mean comes first, and makes choices in more instructions than it
takes. On the CPU these have a form of our own, which reads once and shares pictures between
threads.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native
from slipstream.kernels.channels import of_channels

_CHANNELS = 4  # the most of which the compiled form takes the mean


def contrast(images: Any, factors: Any, ends: tuple[float, float]) -> Any:
    """Distances of pixels from their channel's mean multiplied, results within `ends`.

    Args:
        images: ``(batch, height, width, channels)`` floats.
        factors: ``(batch,)``.
        ends: the least and the greatest value of a pixel.
    """
    return _contrast.bind(images, factors[:, None], **_named(ends))


def posterize(images: Any, steps: Any, ends: tuple[float, float]) -> Any:
    """Pixels as the next lower multiple of a step on the scale from 0 to 255.

    Args:
        images, ends: as for `contrast`.
        steps: ``(batch,)`` powers of 2.
    """
    return _posterize.bind(images, steps[:, None], **_named(ends))


def solarize(images: Any, more: Any, thresholds: Any, ends: tuple[float, float]) -> Any:
    """A number added, then pixels from a threshold on turned into their negatives.

    Args:
        images, ends: as for `contrast`.
        more, thresholds: ``(batch,)`` on the scale from 0 to 255.
    """
    return _solarize.bind(images, jnp.stack([more, thresholds], -1), **_named(ends))


def _named(ends: tuple[float, float]) -> dict[str, float]:
    return {"low": float(ends[0]), "high": float(ends[1])}


def per_pixel(numbers: Any) -> Any:
    """``(batch,)`` numbers as ``(batch, 1, 1, 1)``."""
    return numbers[:, None, None, None]


def clip(values: Any, low: Any, high: Any) -> Any:
    """`values` within `low` and `high`, as `jnp.clip`, NaN too, but with less to do for a CPU.

    Comparisons leave NaN as it is, so each choice is one instruction. XLA's own take three.
    """
    values = jnp.where(values < low, low, values)
    return jnp.where(values > high, high, values)


def to_bytes(images: Any, ends: tuple) -> Any:
    """Pictures of a value range as floats from 0 to 255."""
    return images if ends == (0, 255) else (images - ends[0]) * (255 / (ends[1] - ends[0]))


def from_bytes(images: Any, ends: tuple) -> Any:
    """Inverse of `to_bytes`."""
    return images if ends == (0, 255) else images * ((ends[1] - ends[0]) / 255) + ends[0]


def _contrasted(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    mean = of_channels(jnp.add, images) / (images.shape[1] * images.shape[2])
    return jnp.clip((images - mean) * per_pixel(numbers[:, 0]) + mean, low, high)


def _posterized(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    step = numbers[:, 0]
    values = jnp.clip(to_bytes(images, (low, high)), 0, 255)
    steps = jnp.floor(values * per_pixel(1 / step))  # exact: steps are powers of 2
    return from_bytes(steps * per_pixel(step), (low, high))


def _solarized(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    more, threshold = map(per_pixel, numbers.T)
    values = clip(to_bytes(images, (low, high)) + more, 0, 255)
    return from_bytes(jnp.where(values < threshold, values, 255 - values), (low, high))


def _compiled(name: str) -> Any:
    def compiled(images: Any, numbers: Any, *, low: float, high: float) -> Any:
        result = jax.ShapeDtypeStruct(images.shape, images.dtype)
        return native.call(name, result, images, numbers, low=low, high=high)

    return compiled


def _supports(images: Any, numbers: Any, **ends: float) -> bool:
    return images.dtype == numbers.dtype == "float32" and images.size > 0


def _supports_mean(images: Any, numbers: Any, **ends: float) -> bool:
    return _supports(images, numbers) and images.shape[-1] <= _CHANNELS


_contrast = forms.operation(
    "contrast", _contrasted, _compiled("contrast"), _supports_mean, quick=True
)
_posterize = forms.operation(
    "posterize", _posterized, _compiled("posterize"), _supports, quick=True
)
_solarize = forms.operation("solarize", _solarized, _compiled("solarize"), _supports, quick=True)
