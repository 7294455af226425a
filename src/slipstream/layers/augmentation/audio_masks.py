"""`SpecAugment`: bands and times of spectrograms masked."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.panels import spectrograms
from slipstream.layers.augmentation.sequence_base import SequenceDrawing, inputs_of


@register("layer")
class SpecAugment(SequenceDrawing):
    """Mask stretches of frequencies and of time in spectrograms (Park et al., 2019).

    Each mask's width is drawn evenly from 0 to its greatest, then its place. The paper's time
    warping, which it finds to matter least, is left out.

    Args:
        frequency_masks: number of masks over frequencies.
        frequency_width: greatest width of one, as a share of all frequencies.
        time_masks: number of masks over time.
        time_width: greatest width of one, as a share of the length.
        fill_value: what masked places get; the example's mean if not given.
        seed: see `Drawing`.

    Input ``(batch, frequencies, time)`` as `MelSpectrogram` gives it, or ``(batch, frequencies,
    time, channels)``, or a dictionary with it under ``"inputs"``; output alike.

    Raises:
        ValueError: for negative numbers of masks, or widths beyond 0 to 1.
    """

    _axes = "(batch, frequencies, time) or (batch, frequencies, time, channels)"
    _ranks = (3, 4)
    _arguments = (
        "frequency_masks", "frequency_width", "time_masks", "time_width", "fill_value", "seed",
    )  # fmt: skip

    def __init__(
        self,
        frequency_masks: int = 2,
        frequency_width: float = 0.3,
        time_masks: int = 2,
        time_width: float = 0.2,
        fill_value: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        counts = {"frequency_masks": frequency_masks, "time_masks": time_masks}
        for argument, count in counts.items():
            if not isinstance(count, int) or isinstance(count, bool) or count < 0:
                raise self._fault(argument, "a whole number of at least 0", count)
        widths = {"frequency_width": frequency_width, "time_width": time_width}
        for argument, width in widths.items():
            if not isinstance(width, (int, float)) or not 0 <= width <= 1:
                raise self._fault(argument, "a number from 0 to 1", width)
        self.frequency_masks, self.frequency_width = frequency_masks, frequency_width
        self.time_masks, self.time_width = time_masks, time_width
        self.fill_value = fill_value

    def _finished(self, inputs: Any, given: Any) -> Any:
        return inputs.astype(self.compute_dtype)

    def _change(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        x = known["inputs"].astype(self.compute_dtype)
        batch, frequencies, times = x.shape[:3]
        bands = stretches(key, batch, frequencies, self.frequency_masks, self.frequency_width)
        key = jax.random.fold_in(key, 1)
        steps = stretches(key, batch, times, self.time_masks, self.time_width)
        area = bands[:, :, None] | steps[:, None, :]
        fill: Any = self.fill_value
        if fill is None:
            wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
            fill = jnp.mean(wide, tuple(range(1, x.ndim)), keepdims=True)
        fill = jnp.asarray(fill, x.dtype)
        return {
            **known,
            "inputs": jnp.where(area.reshape(*area.shape, *(1,) * (x.ndim - 3)), fill, x),
        }

    def _panels(self, columns: list[Any], rows: int) -> list[list[Any]]:
        return spectrograms([inputs_of(data) for data in columns], rows)


def stretches(key: Any, batch: int, size: int, count: int, width: float) -> Any:
    """``(batch, size)`` bool, True inside of `count` stretches of up to a share `width` each."""
    share, place = jnp.moveaxis(jax.random.uniform(key, (batch, count, 2)), 2, 0)
    # Whole widths from 0 to the greatest, each as likely.
    length = jnp.floor(share * (int(width * size + 1e-6) + 1))
    start = jnp.floor(place * (size - length + 1))
    end, steps = start + length, jnp.arange(size)
    inside = jnp.zeros((batch, size), bool)
    for i in range(count):  # as a reduction, LLVM can take minutes to compile it with the drawing
        inside |= (steps >= start[:, i, None]) & (steps < end[:, i, None])
    return inside
