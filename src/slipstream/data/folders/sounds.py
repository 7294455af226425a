"""Sound files as arrays, and datasets of them."""

from __future__ import annotations

import wave
from math import gcd
from typing import Any

import numpy as np

from slipstream.data.dataset import stack
from slipstream.data.folders.files import from_directory


def read_wav(path: Any) -> tuple[np.ndarray, int]:
    """A WAV file of whole numbers: ``(samples, channels)`` float32 in [-1, 1], and its rate in Hz.

    Raises:
        ValueError: if the file is damaged or of another kind.
    """
    try:
        with wave.open(str(path), "rb") as file:
            width, channels = file.getsampwidth(), file.getnchannels()
            rate, count = file.getframerate(), file.getnframes()
            content = file.readframes(count)
    except (wave.Error, EOFError) as error:
        raise ValueError(
            f"The sound {str(path)!r} is damaged or no WAV file of whole numbers: {error}. Remove "
            "it from the data, or convert it to 16-bit PCM."
        ) from error
    if len(content) != count * channels * width or not channels:
        raise ValueError(
            f"The sound {str(path)!r} is cut short: it declares {count} samples and holds only "
            f"{len(content) // max(channels * width, 1)}. Remove it, or save it again."
        )
    if width == 1:  # the only width without sign
        values = np.frombuffer(content, np.uint8).astype(np.float32) - 128
    elif width == 3:
        padded = np.zeros((count * channels, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        values = (padded.view("<i4")[:, 0] >> 8).astype(np.float32)
    else:
        values = np.frombuffer(content, f"<i{width}").astype(np.float32)
    return (values / 2.0 ** (8 * width - 1)).reshape(count, channels), rate


def resampled(signal: np.ndarray, rate: int, new: int) -> np.ndarray:
    """Sound ``(samples, channels)`` at another rate, by a polyphase filter."""
    if rate == new:
        return signal
    from scipy.signal import resample_poly

    common = gcd(rate, new)
    return resample_poly(signal, new // common, rate // common, axis=0).astype(np.float32)


def audio_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    batch_size: int | None = 32,
    sampling_rate: int | None = None,
    output_sequence_length: int | None = None,
    ragged: bool = False,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """WAV files in a folder, a folder a class, as batches for `fit`.

    Batches are ``(batch, samples, channels)`` float32 in [-1, 1], padded with zeros to the longest
    or to `output_sequence_length`, and targets unless label_mode is None.

    Args:
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
            subset, follow_links, verbose: as in `image_dataset_from_directory`.
        sampling_rate: rate in Hz that all are brought to; as they are if not given.
        output_sequence_length: samples that all are cut or padded to.
        ragged: not supported.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if arguments do not fit, there are no WAV files or, while reading, one is
            damaged.
    """
    if ragged:
        raise ValueError(
            "ragged=True is not supported: batches are arrays. Sounds are padded with zeros; give "
            "output_sequence_length for a fixed length."
        )

    def read(path: str) -> np.ndarray:
        signal, rate = read_wav(path)
        if sampling_rate is not None:
            signal = resampled(signal, rate, sampling_rate)
        if output_sequence_length is not None:
            signal = fitted(signal, output_sequence_length)
        return signal

    return from_directory(
        directory,
        read,
        (".wav",),
        "WAV",
        labels=labels,
        label_mode=label_mode,
        class_names=class_names,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        validation_split=validation_split,
        subset=subset,
        follow_links=follow_links,
        verbose=verbose,
        join=_join,
    )


def fitted(signal: np.ndarray, length: int) -> np.ndarray:
    """The first `length` samples, with zeros after the last."""
    signal = signal[:length]
    return np.pad(signal, [(0, length - len(signal)), (0, 0)])


def _join(examples: list[Any]) -> Any:
    """A batch, padded to its longest sound."""
    signals = [e[0] if isinstance(e, tuple) else e for e in examples]
    if len({signal.shape[1] for signal in signals}) > 1:
        raise ValueError(
            "The sounds of a batch differ in their number of channels "
            f"({sorted({signal.shape[1] for signal in signals})}). Convert them to one."
        )
    longest = max(map(len, signals))
    padded = [fitted(signal, longest) for signal in signals]
    if isinstance(examples[0], tuple):
        return stack([(signal, e[1]) for signal, e in zip(padded, examples)])
    return stack(padded)
