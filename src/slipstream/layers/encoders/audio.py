"""Encoder of sound: mel bands, then a convolutional network."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.audio_masks import SpecAugment
from slipstream.layers.batch_normalization import BatchNormalization
from slipstream.layers.convolution import Conv2D
from slipstream.layers.encoders.base import MOMENTUM, Encoder
from slipstream.layers.pooling import MaxPooling2D
from slipstream.layers.preprocessing.mel_spectrogram import MelSpectrogram


@register("layer")
class AudioCNN(Encoder):
    """Decibels in mel bands, then convolutions with batch normalization and pooling.

    Args:
        features: size of the output vector.
        sampling_rate: samples a second.
        mel_bins: number of mel bands.
        frame: length of a frame in seconds; frames begin every half of it.
        widths: channels of each stage; each halves bands and time.
        spec_augment: whether to mask bands and times while training; see `SpecAugment`.
        return_tokens: see `Encoder`; one token for each step of time of the last stage, its
            bands' channels side by side.

    Input ``(batch, samples)`` or ``(batch, samples, 1)``, about -1 to 1; output ``(batch,
    features)``.

    Raises:
        ValueError: if a number is not a whole one of at least 1, or the input has other axes or is
            too short for the stages.
    """

    per_example = True
    _arguments = ("sampling_rate", "mel_bins", "frame", "widths", "spec_augment")

    def __init__(
        self,
        features: int,
        sampling_rate: int = 16000,
        mel_bins: int = 64,
        frame: float = 0.032,
        widths: Any = (32, 64, 128),
        spec_augment: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(features, **kwargs)
        self.sampling_rate = self._count("sampling_rate", sampling_rate)
        self.mel_bins = self._count("mel_bins", mel_bins)
        if not isinstance(frame, (int, float)) or not frame * sampling_rate >= 4:
            raise ValueError(
                f"AudioCNN layer {self.name!r}: frame must be seconds, of at least 4 samples; got "
                f"{frame!r}."
            )
        self.frame = frame
        self.widths = self._counts("widths", widths)
        self.spec_augment = bool(spec_augment)

    def _check_shape(self, input_shape: Any) -> None:
        length = 2 * round(self.frame * self.sampling_rate / 2)
        steps = None
        if len(input_shape) in (2, 3) and input_shape[1] is not None:
            steps = 2 * input_shape[1] // length + 1
        known = len(input_shape) == 2 or tuple(input_shape[2:]) == (1,)
        short = min(self.mel_bins, steps or 0) >> len(self.widths) < 1
        if steps is None or not known or short or input_shape[1] <= length // 2:
            raise ValueError(
                f"AudioCNN layer {self.path!r} takes inputs (batch, samples) or (batch, samples, "
                f"1), long enough to be halved {len(self.widths)} times as frames of {length} "
                f"samples; got shape {tuple(input_shape)} and {self.mel_bins} mel bins."
            )

    def _create(self, input_shape: Any) -> None:
        length = 2 * round(self.frame * self.sampling_rate / 2)
        self._mel = self._part(
            MelSpectrogram,
            fft_length=max(256, 1 << (length - 1).bit_length()),
            sequence_length=length,
            sequence_stride=length // 2,
            sampling_rate=self.sampling_rate,
            num_mel_bins=self.mel_bins,
            top_db=None,  # a floor below the loudest of the batch would tie examples together
            min_power=1e-8,
            name="mel",
        )
        self._mel.per_example = True
        if self.spec_augment:
            self._augment = self._part(SpecAugment, name="augment")
        self._norm = self._part(BatchNormalization, momentum=MOMENTUM, name="norm")
        self._stages = [
            [
                self._part(
                    Conv2D, width, 3, padding="same", use_bias=False, name=f"stage_{i}",
                    data_format="channels_last", kernel_initializer="he_normal",
                ),
                self._part(BatchNormalization, momentum=MOMENTUM, name=f"stage_{i}_norm"),
            ]
            for i, width in enumerate(self.widths)
        ]  # fmt: skip
        self._pool = self._part(MaxPooling2D, data_format="channels_last", name="pool")

    def _tokens(self, inputs: Any, training: bool) -> Any:
        bands = self._mel(inputs[..., 0] if inputs.ndim == 3 else inputs)
        if self.spec_augment:
            bands = self._augment(bands, training=training)
        # Each band has its own mean and spread: (batch, time, bands), then a channel.
        x = self._norm(jnp.swapaxes(bands, 1, 2))[..., None]
        for convolution, norm in self._stages:
            x = self._pool(jax.nn.relu(norm(convolution(x))))
        # Bands side by side, not averaged: vowels are told by where the sound is loud.
        return x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
