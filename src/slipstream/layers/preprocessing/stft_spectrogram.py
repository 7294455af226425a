"""`STFTSpectrogram`: sound as its frequencies over time."""

from __future__ import annotations

from math import ceil
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core import config, registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.kernels.dense import product
from slipstream.kernels.pieces import frames
from slipstream.layers.preprocessing.host import one_of
from slipstream.layers.preprocessing.window import window_values

_SCALINGS = ("density", "spectrum", None)
_STFT_MODES = ("log", "magnitude", "psd", "real", "imag", "angle", "stft")


@register("layer")
class STFTSpectrogram(Layer):
    """Short-time Fourier transform of sound ``(batch, samples, channels)``.

    Its kernels are weights, so that a network may learn to do better.

    Args:
        mode: ``"magnitude"``, ``"log"`` (its logarithm), ``"psd"`` (power), ``"real"``, ``"imag"``,
            ``"angle"``, or ``"stft"`` (real parts, then imaginary ones).
        frame_length: samples of a frame.
        frame_step: samples from one frame to the next; half a frame if not given.
        fft_length: at least `frame_length`; the next power of 2 if not given.
        window: name of a window of `scipy.signal.get_window`, an array, or None.
        periodic: whether the window is one period rather than symmetric.
        scaling: ``"density"``, ``"spectrum"`` or None.
        padding: ``"valid"`` or ``"same"``.
        expand_dims: keep the channels apart: ``(batch, frames, bins, channels)`` in place of
            ``(batch, frames, channels * bins)``.
        data_format: ``"channels_first"`` takes ``(batch, channels, samples)``.

    Raises:
        ValueError: if lengths, mode, scaling or padding make no sense.
    """

    per_example = True

    def __init__(
        self,
        mode: str = "log",
        frame_length: int = 256,
        frame_step: int | None = None,
        fft_length: int | None = None,
        window: Any = "hann",
        periodic: bool = False,
        scaling: str | None = "density",
        padding: str = "valid",
        expand_dims: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.mode = one_of(self, "mode", mode, _STFT_MODES)
        self.scaling = one_of(self, "scaling", scaling, _SCALINGS)
        self.padding = one_of(self, "padding", padding, ("valid", "same"))
        if not isinstance(frame_length, int) or frame_length < 1:
            raise ValueError(
                f"STFTSpectrogram layer {self.name!r}: frame_length must be a whole number of at "
                f"least 1; got {frame_length!r}."
            )
        if frame_step is not None and not 1 <= frame_step <= frame_length:
            raise ValueError(
                f"STFTSpectrogram layer {self.name!r}: frame_step must be from 1 to frame_length "
                f"({frame_length}); got {frame_step}."
            )
        if fft_length is not None and fft_length < frame_length:
            raise ValueError(
                f"STFTSpectrogram layer {self.name!r}: fft_length must be at least frame_length "
                f"({frame_length}); got {fft_length}."
            )
        self.frame_length = frame_length
        self.frame_step = frame_step
        self._step = frame_step or frame_length // 2 or 1
        self.fft_length = fft_length
        self._fft = fft_length or 2 ** ceil(np.log2(frame_length))
        self.window = window
        self.periodic = periodic
        self.expand_dims = expand_dims
        self.data_format = data_format or config.image_data_format()
        self.input_spec = InputSpec(ndim=3)

    @property
    def _bins(self) -> int:
        return self._fft // 2 + 1

    def build(self, input_shape: Any) -> None:
        """Create the kernels ``(frame_length, 1, bins)``."""
        window = window_values(self.window, self.frame_length, self.periodic)
        angles = 2 * np.pi * np.outer(np.arange(self.frame_length), np.arange(self._bins))
        waves = np.exp(-1j * angles / self._fft) * window[:, None]
        if self.window is None:
            pass  # as in Keras: no window, no scaling
        elif self.scaling == "density":
            waves /= np.sqrt((window**2).sum())
        elif self.scaling == "spectrum":
            waves /= window.sum()
        shape = (self.frame_length, 1, self._bins)
        for part, values in (("real", waves.real), ("imag", waves.imag)):
            if self.mode not in ({"real", "imag"} - {part}):
                kernel = values.reshape(shape).astype(np.float32)
                setattr(
                    self,
                    f"{part}_kernel",
                    self.add_weight(
                        shape,
                        lambda shape, dtype, kernel=kernel: kernel.astype(dtype),
                        name=f"{part}_kernel",
                    ),
                )

    def call(self, inputs: Any) -> Any:
        """The spectrogram."""
        signal = inputs if self.data_format == "channels_first" else jnp.moveaxis(inputs, 1, 2)
        samples = signal.shape[-1]
        if self.padding == "same":
            count = -(-samples // self._step)
            total = max((count - 1) * self._step + self.frame_length - samples, 0)
            signal = jnp.pad(signal, ((0, 0), (0, 0), (total // 2, total - total // 2)))
        elif samples < self.frame_length:
            raise ValueError(
                f"STFTSpectrogram layer {self.path!r}: a frame has {self.frame_length} samples and "
                f"the input {samples}. Use padding='same', or a shorter frame_length."
            )
        pieces = frames(signal, self.frame_length, self._step)
        found = self._transform(pieces)  # (batch, channels, frames, bins)
        if self.data_format == "channels_first":
            if self.expand_dims:
                return found
            found = jnp.moveaxis(found, 3, 2)
            return found.reshape(found.shape[0], -1, found.shape[-1])
        if self.expand_dims:
            return jnp.moveaxis(found, 1, 3)
        found = jnp.moveaxis(found, 1, 2)
        return found.reshape(*found.shape[:2], -1)

    def _transform(self, pieces: Any) -> Any:
        def waves(name: str) -> Any:
            return getattr(self, f"{name}_kernel").value[:, 0]

        if self.mode in ("real", "imag"):
            return product(pieces, waves(self.mode))
        parts = product(pieces, jnp.concatenate([waves("real"), waves("imag")], -1))
        if self.mode == "stft":
            return parts
        real, imag = parts[..., : self._bins], parts[..., self._bins :]
        if self.mode == "angle":
            return jnp.arctan2(imag, real)
        power = real**2 + imag**2
        if self.mode == "psd":
            # Every frequency but 0 and the highest has a mirror image of equal power.
            bins = np.arange(self._bins)
            return power * np.where(2 * bins % self._fft == 0, 1, 2).astype(power.dtype)
        magnitude = jnp.sqrt(jnp.maximum(power, config.epsilon() ** 2))
        return jnp.log(magnitude) if self.mode == "log" else magnitude

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, frames, channels * bins)``, or with axes apart and in `data_format`."""
        first = self.data_format == "channels_first"
        batch, samples, channels = (input_shape[i] for i in ((0, 2, 1) if first else (0, 1, 2)))
        count = None
        if samples is not None and self.padding == "same":
            count = -(-samples // self._step)
        elif samples is not None:
            count = (samples - self.frame_length) // self._step + 1
        bins = self._bins * (2 if self.mode == "stft" else 1)
        if self.expand_dims:
            return (batch, channels, count, bins) if first else (batch, count, bins, channels)
        merged = None if channels is None else channels * bins
        return (batch, merged, count) if first else (batch, count, merged)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "mode": self.mode,
            "frame_length": self.frame_length,
            "frame_step": self.frame_step,
            "fft_length": self.fft_length,
            "window": registry.serialize(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
            "padding": self.padding,
            "data_format": self.data_format,
            "expand_dims": self.expand_dims,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that `get_config` described."""
        return super().from_config({**config, "window": registry.deserialize(config["window"])})
