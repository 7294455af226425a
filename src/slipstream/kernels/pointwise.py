"""What is done to pictures pixel by pixel, by a few numbers of each picture's or channel's own.

XLA reads pictures twice where a mean comes first, and makes choices in more instructions than it
takes. On the CPU these have a form of our own, which reads once and shares pictures between
threads.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.kernels import forms, native
from slipstream.kernels.channels import of_channels

GREY = (0.2989, 0.587, 0.114)  # of red, green and blue, by ITU-R BT.601
_CHANNELS = 4  # the most that the compiled forms take apart


def contrast(images: Any, factors: Any, ends: tuple[float, float]) -> Any:
    """Distances of pixels from their channel's mean multiplied, results within `ends`.

    Args:
        images: ``(batch, height, width, channels)`` floats.
        factors: ``(batch,)``.
        ends: the least and the greatest value of a pixel.
    """
    return _contrast.bind(images, factors[:, None], **_named(ends))


def stretch(images: Any, ends: tuple[float, float]) -> Any:
    """Each channel of each picture over all values between `ends`; one of one value as it is.

    Args:
        images, ends: as for `contrast`.
    """
    return _stretch.bind(images, **_named(ends))


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


def scale(images: Any, factors: Any, more: Any, ends: tuple[float, float]) -> Any:
    """Pixels multiplied by a number, and another one added, results within `ends`.

    Args:
        images: as for `contrast`.
        factors, more: ``(batch,)``.
        ends: as for `contrast`; infinite ones let all pass.
    """
    return _scale.bind(images, jnp.stack([factors, more], -1), **_named(ends))


def pale(images: Any, shares: Any, ends: tuple[float, float]) -> Any:
    """Pixels blended with their shades of grey, results within `ends`.

    Args:
        images: ``(batch, height, width, 3)`` floats.
        shares: ``(batch,)`` of grey.
        ends: as for `contrast`.
    """
    return _pale.bind(images, shares[:, None], **_named(ends))


def _named(ends: tuple[float, float]) -> dict[str, float]:
    return {"low": float(ends[0]), "high": float(ends[1])}


def per_pixel(numbers: Any) -> Any:
    """``(batch,)`` numbers as ``(batch, 1, 1, 1)``."""
    return numbers[:, None, None, None]


def split(images: Any) -> list[Any]:
    """Three channels, each ``(batch, height, width, 1)``: sums of these fuse, reductions do not."""
    return [images[..., place : place + 1] for place in range(3)]


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


def _stretched(images: Any, *, low: float, high: float) -> Any:
    least, most = of_channels(jnp.minimum, images), of_channels(jnp.maximum, images)
    flat = least == most
    # One division for each channel, none for each pixel.
    factor = jnp.where(flat, 1, high - low) / jnp.where(flat, 1, most - least)
    moved = (images - jnp.where(flat, 0, least)) * factor + jnp.where(flat, 0, low)
    return jnp.clip(moved, low, high)


def _posterized(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    step = numbers[:, 0]
    values = jnp.clip(to_bytes(images, (low, high)), 0, 255)
    steps = jnp.floor(values * per_pixel(1 / step))  # exact: steps are powers of 2
    return from_bytes(steps * per_pixel(step), (low, high))


def _solarized(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    more, threshold = map(per_pixel, numbers.T)
    values = clip(to_bytes(images, (low, high)) + more, 0, 255)
    return from_bytes(jnp.where(values < threshold, values, 255 - values), (low, high))


def _scaled(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    factors, more = map(per_pixel, numbers.T)
    return jnp.clip(images * factors + more, low, high)


def _paled(images: Any, numbers: Any, *, low: float, high: float) -> Any:
    # Three weights for each channel of the result: it is not read again beside its grey, which
    # takes a CPU's vectors as long as the arithmetic.
    blended = sum(
        channel * (numbers * grey + (1 - numbers) * own)[:, None, None]
        for channel, grey, own in zip(split(images), GREY, np.eye(3, dtype="float32"))
    )
    return clip(blended, low, high)


def _compiled(name: str) -> Any:
    def compiled(images: Any, *numbers: Any, low: float, high: float) -> Any:
        result = jax.ShapeDtypeStruct(images.shape, images.dtype)
        return native.call(name, result, images, *numbers, low=low, high=high)

    return compiled


def _supports(images: Any, *numbers: Any, **ends: float) -> bool:
    floats = all(array.dtype == "float32" for array in (images, *numbers))
    return floats and images.size > 0


def _supports_channels(images: Any, *numbers: Any, **ends: float) -> bool:
    return _supports(images, *numbers) and images.shape[-1] <= _CHANNELS


_contrast = forms.operation(
    "contrast", _contrasted, _compiled("contrast"), _supports_channels, quick=True
)
_stretch = forms.operation(
    "stretch", _stretched, _compiled("stretch"), _supports_channels, quick=True
)
_posterize = forms.operation(
    "posterize", _posterized, _compiled("posterize"), _supports, quick=True
)
_solarize = forms.operation("solarize", _solarized, _compiled("solarize"), _supports, quick=True)
_scale = forms.operation("scale", _scaled, _compiled("scale"), _supports, quick=True)
_pale = forms.operation("pale", _paled, _compiled("pale"), _supports, quick=True)
