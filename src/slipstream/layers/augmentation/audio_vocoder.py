"""Sounds made longer or shorter at their pitch, or higher or lower at their length."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from slipstream.core.registry import register
from slipstream.kernels.pieces import overlapped
from slipstream.kernels.spectrum import overlapped_spectra, spectra
from slipstream.layers.augmentation.arguments import between, limits, uniform
from slipstream.layers.augmentation.sequence_base import SignalDrawing, two_ends


class _Vocoder(SignalDrawing):
    """A layer that changes sounds between two Fourier transforms.

    Args:
        fft_length: samples of a frame, a multiple of 4 that is at least 16; frames are a fourth of
            it apart.
    """

    def __init__(self, fft_length: int, seed: int | None, **kwargs: Any) -> None:
        super().__init__(seed=seed, **kwargs)
        if not isinstance(fft_length, int) or fft_length < 16 or fft_length % 4:
            raise self._fault("fft_length", "a multiple of 4 that is at least 16", fft_length)
        self.fft_length = fft_length

    def _signal(self, signal: Any, draw: Any) -> Any:
        batch, samples, channels = signal.shape
        rows = jnp.swapaxes(signal, 1, 2).reshape(batch * channels, samples)
        rows = self._rows(rows, jnp.repeat(draw, channels))
        return jnp.swapaxes(rows.reshape(batch, channels, samples), 1, 2)

    def _rows(self, rows: Any, draw: Any) -> Any:
        raise NotImplementedError


@register("layer")
class RandomTimeStretch(_Vocoder):
    """Make sounds longer or shorter while their pitch stays, by a phase vocoder.

    The vocoder is that of Flanagan and Golden (1966) in the form of Dolson (1986): frames of the
    spectrogram are read at another speed, magnitudes between frames on straight lines, phases
    carried on at each bin's own frequency. The length of the array stays: what gets longer is cut
    at the end, what gets shorter is followed by silence.

    Args:
        rate: range of the speed: two ends, or one number for itself; above 1 is shorter.
        fft_length: samples of a frame.
        seed: see `Drawing`.

    Input and output as in `RandomGain`.

    Raises:
        ValueError: for rates beyond 0.1 to 10, or another length.
    """

    _arguments = ("rate", "fft_length", "seed")

    def __init__(
        self,
        rate: Any = (0.8, 1.25),
        fft_length: int = 512,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fft_length, seed, **kwargs)
        self.rate = two_ends(self, "rate", rate, 0.1, 10)

    def _draw(self, key: Any, shape: tuple) -> Any:
        return between(uniform(key, shape[0], 1)[0], self.rate)

    def _rows(self, rows: Any, draw: Any) -> Any:
        return stretched(rows, draw, rows.shape[1], self.fft_length)


@register("layer")
class RandomPitchShift(_Vocoder):
    """Make sounds higher or lower while their length stays.

    A phase vocoder (see `RandomTimeStretch`) changes the length, then the samples are read at
    another speed, on cubic curves between them. Frequencies that would end above half the sampling
    rate are left out.

    Args:
        semitones: range of the shift, a twelfth of an octave each; one number for both signs or two
            ends.
        fft_length: samples of a frame.
        seed: see `Drawing`.

    Input and output as in `RandomGain`.

    Raises:
        ValueError: for semitones beyond ±24, or another length.
    """

    _arguments = ("semitones", "fft_length", "seed")

    def __init__(
        self,
        semitones: Any = 2.0,
        fft_length: int = 512,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fft_length, seed, **kwargs)
        self.semitones = limits(self, "semitones", semitones, -24, 24)

    def _draw(self, key: Any, shape: tuple) -> Any:
        return between(uniform(key, shape[0], 1)[0], self.semitones)

    def _rows(self, rows: Any, draw: Any) -> Any:
        samples = rows.shape[1]
        ratio = 2 ** (draw / 12)
        longest = int(np.ceil(samples * 2 ** (max(self.semitones) / 12)))
        longer = stretched(rows, 1 / ratio, longest, self.fft_length, highest=1 / ratio)
        return _cubic(longer, jnp.arange(samples) * ratio[:, None])


def stretched(rows: Any, rate: Any, length: int, size: int, highest: Any = None) -> Any:
    """Sounds ``(rows, samples)`` at so many times their speed, ``(rows, length)``, pitch kept.

    Args:
        rate: ``(rows,)`` speeds.
        length: samples that come out.
        size: samples of a frame, a multiple of 4.
        highest: ``(rows,)`` frequencies above which nothing passes, 1 for half the sampling rate.
    """
    hop, bins = size // 4, jnp.arange(size // 2 + 1)
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)).astype(np.float32)
    count = -(-length // hop) + 1
    real, imag = spectra(_around_middles(rows, size, hop), window, hop)
    last = real.shape[1] - 1
    places = jnp.arange(count) * rate[:, None]
    first = jnp.minimum(jnp.floor(places).astype(jnp.int32), last)
    share = jnp.where(places < last, places - first, 0)[..., None]
    magnitude, phase = jnp.abs(lax.complex(real, imag)), jnp.arctan2(imag, real)

    def at(values: Any, frames: Any) -> Any:
        return jnp.take_along_axis(values, frames[..., None], 1)

    following = jnp.minimum(first + 1, last)
    loud = (1 - share) * at(magnitude, first) + share * at(magnitude, following)
    loud = jnp.where((places <= last)[..., None], loud, 0)
    # A hop of a fourth of a frame turns bin k by k quarter turns; what remains is summed.
    advance = (jnp.pi / 2) * (bins % 4)
    step = jnp.diff(phase, axis=1, append=phase[:, -1:]) - advance
    step = step - 2 * jnp.pi * jnp.round(step / (2 * jnp.pi))
    steps = at(step, first)
    summed = jnp.cumsum(steps, 1) - steps
    quarter = (jnp.pi / 2) * ((jnp.arange(count)[:, None] * bins) % 4)
    angle = phase[:, :1] + quarter + summed
    if highest is not None:
        loud = jnp.where(bins <= highest[:, None, None] * (size // 2), loud, 0)
    whole = overlapped_spectra(loud * jnp.cos(angle), loud * jnp.sin(angle), window, hop)
    whole = whole / jnp.maximum(overlapped(jnp.tile(window**2, (count, 1)), hop), 1e-3)
    return whole[:, size // 2 : size // 2 + length].astype(rows.dtype)


def _around_middles(rows: Any, size: int, hop: int) -> Any:
    """Sounds with silence around them, so that frames' middles are `hop` apart from sample 0 on."""
    samples = rows.shape[1]
    count = -(-samples // hop) + 1
    spare = (count + 3) * hop - samples - size // 2
    return jnp.pad(rows, [(0, 0), (size // 2, spare)])


def _cubic(rows: Any, places: Any) -> Any:
    """Rows ``(rows, samples)`` at places ``(rows, steps)``, on cubic curves (Catmull and Rom)."""
    last = rows.shape[1] - 1
    first = jnp.floor(places).astype(jnp.int32)
    t = (places - first).astype(rows.dtype)
    a, b, c, d = (jnp.take_along_axis(rows, jnp.clip(first + i, 0, last), 1) for i in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
