"""`MelSpectrogram`: sound in bands as wide as the ear hears them, over time."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels.dense import product
from slipstream.kernels.spectrum import spectra
from slipstream.layers.preprocessing.host import one_of
from slipstream.layers.preprocessing.window import window_values


@register("layer")
class MelSpectrogram(Layer):
    """Power of sound in bands as wide as the ear hears them: ``(batch, mel bins, frames)``.

    Input ``(batch, samples)`` or ``(samples,)``, padded at both ends by reflection so that frames
    are centred. The bands follow the mel scale ``1127 ln(1 + f / 700)`` (O'Shaughnessy, 1987).

    Args:
        fft_length: samples of a frame after zero padding.
        sequence_stride: samples from one frame to the next.
        sequence_length: samples of the window; `fft_length` if not given.
        window: ``"hann"``, ``"hamming"``, an array or None.
        sampling_rate: samples a second.
        num_mel_bins: number of bands.
        min_freq, max_freq: range of the bands in Hz; `max_freq` is half the sampling rate if not
            given.
        power_to_db: give decibels relative to `ref_power`, down to `top_db` below the highest.
        top_db: see there; None for no limit.
        mag_exp: power of the magnitude, 2 for energy.
        min_power: least power that decibels are taken of.
        ref_power: power that counts as 0 dB.

    Raises:
        ValueError: if the window is longer than `fft_length`.
    """

    def __init__(
        self,
        fft_length: int = 2048,
        sequence_stride: int = 512,
        sequence_length: int | None = None,
        window: Any = "hann",
        sampling_rate: int = 16000,
        num_mel_bins: int = 128,
        min_freq: float = 20.0,
        max_freq: float | None = None,
        power_to_db: bool = True,
        top_db: float | None = 80.0,
        mag_exp: float = 2.0,
        min_power: float = 1e-10,
        ref_power: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fft_length = fft_length
        self.sequence_stride = sequence_stride
        self.sequence_length = sequence_length or fft_length
        if self.sequence_length > fft_length:
            raise ValueError(
                f"MelSpectrogram layer {self.name!r}: sequence_length must be at most fft_length "
                f"({fft_length}); got {sequence_length}."
            )
        if isinstance(window, str):
            one_of(self, "window", window, ("hann", "hamming"))
        self.window = window
        self.sampling_rate = sampling_rate
        self.num_mel_bins = num_mel_bins
        self.min_freq = min_freq
        self.max_freq = max_freq or int(sampling_rate / 2)
        self.power_to_db = power_to_db
        self.top_db = top_db
        self.mag_exp = mag_exp
        self.min_power = min_power
        self.ref_power = ref_power

    def call(self, inputs: Any) -> Any:
        """The spectrogram."""
        signal = inputs.astype("float32")
        half = self.fft_length // 2
        padding = [(0, 0)] * (signal.ndim - 1) + [(half, half)]
        signal = jnp.pad(signal, padding, "reflect")
        spare = self.fft_length - self.sequence_length
        window = window_values(self.window, self.sequence_length, periodic=True)
        window = np.pad(window, (spare // 2, spare - spare // 2)).astype(np.float32)
        real, imag = spectra(signal, window, self.sequence_stride)
        if self.mag_exp == 2:
            power = real**2 + imag**2  # without the root that the square undoes
        else:
            power = jnp.abs(lax.complex(real, imag)) ** self.mag_exp
        bands = jnp.swapaxes(product(power, self._bands()), -1, -2)
        if self.power_to_db:
            bands = 10 * jnp.log10(jnp.maximum(bands, self.min_power))
            bands = bands - 10 * np.log10(max(self.ref_power, self.min_power))
            if self.top_db is not None:
                bands = jnp.maximum(bands, bands.max() - self.top_db)
        return bands.astype(self.compute_dtype)

    def _bands(self) -> np.ndarray:
        """Share of each frequency in each band, triangles on the mel scale: ``(bins, bands)``."""

        def mel(frequency: Any) -> Any:
            return 1127 * np.log1p(np.asarray(frequency, np.float64) / 700)

        bins = mel(np.linspace(0, self.sampling_rate / 2, self.fft_length // 2 + 1))[:, None]
        edges = np.linspace(mel(self.min_freq), mel(self.max_freq), self.num_mel_bins + 2)
        low, middle, high = edges[:-2], edges[1:-1], edges[2:]
        rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
        shares = np.maximum(0, np.minimum(rising, falling))
        shares[0] = 0  # a constant offset is no sound
        return shares.astype(np.float32)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, num_mel_bins, frames)``."""
        samples = input_shape[-1]
        count = None
        if samples is not None:
            padded = samples + self.fft_length // 2 * 2
            count = (padded - self.fft_length) // self.sequence_stride + 1
        return (*input_shape[:-1], self.num_mel_bins, count)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        names = (
            "fft_length", "sequence_stride", "sequence_length", "window", "sampling_rate",
            "num_mel_bins", "min_freq", "max_freq", "power_to_db", "top_db", "mag_exp",
            "min_power", "ref_power",
        )  # fmt: skip
        own = {name: registry.serialize(getattr(self, name)) for name in names}
        return {**super().get_config(), **own}
