"""Preparation of tables, pictures and sound."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch.nn.functional import conv1d, interpolate

from bench.layers.case import Case
from bench.layers.torch_.function import Function


def normalization(case: Case) -> Any:
    mean = torch.tensor(case.row.arguments["mean"])
    deviation = torch.tensor(case.row.arguments["variance"]).sqrt()
    return Function(lambda x: (x - mean) / deviation)


def rescaling(case: Case) -> Any:
    scale, offset = case.row.arguments["scale"], case.row.arguments["offset"]
    return Function(lambda x: x * scale + offset)


def discretization(case: Case) -> Any:
    edges = torch.tensor(case.row.arguments["bin_boundaries"])
    return Function(lambda x: torch.bucketize(x, edges, right=True))


def several_hot(case: Case) -> Any:
    categories = case.row.arguments["num_tokens"]
    return Function(lambda ids: torch.zeros(len(ids), categories).scatter_(1, ids.long(), 1.0))


def lookup(case: Case) -> Any:
    """Places in a sorted vocabulary, from 1; 0 for what is not in it."""
    known = torch.tensor(case.row.arguments["vocabulary"], dtype=torch.int32)

    def places(ids: Any) -> Any:
        found = torch.searchsorted(known, ids).clamp_max(len(known) - 1)
        return torch.where(known[found] == ids, found + 1, 0)

    return Function(places)


def resizing(case: Case) -> Any:
    size = (case.row.arguments["height"], case.row.arguments["width"])
    return Function(lambda x: interpolate(x, size, mode="bilinear"))


def center_crop(case: Case) -> Any:
    """A copy of the middle, and no view, as the result of a compiled program is one."""
    size = case.row.arguments["height"]
    begin = (case.row.shape[1] - size) // 2
    end = begin + size
    return Function(lambda x: x[:, :, begin:end, begin:end].clone())


class PowerSpectrum(torch.nn.Module):
    """Power by frequency. The waves are weights, which are trained: hence no transform."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.step = case.row.arguments["frame_step"]
        waves = [torch.from_numpy(kernel).permute(2, 1, 0).contiguous() for kernel in case.weights]
        self.real, self.imaginary = map(torch.nn.Parameter, waves)

    def forward(self, x: Any) -> Any:
        signal = x.transpose(1, 2)
        real = conv1d(signal, self.real, stride=self.step)
        imaginary = conv1d(signal, self.imaginary, stride=self.step)
        power = (real.square() + imaginary.square()).transpose(1, 2)
        return torch.cat([power[..., :1], 2 * power[..., 1:-1], power[..., -1:]], -1)


class Mel(torch.nn.Module):
    """Decibels in bands of the mel scale, those of a batch no more than 80 below its loudest."""

    def __init__(self, fft_length: int, sequence_stride: int, num_mel_bins: int) -> None:
        super().__init__()
        self.length, self.step = fft_length, sequence_stride
        self.window = torch.hann_window(fft_length)
        bands = mel_bands(fft_length // 2 + 1, num_mel_bins)
        self.bands = torch.from_numpy(bands.astype(np.float32))

    def forward(self, x: Any) -> Any:
        found = torch.stft(x, self.length, self.step, window=self.window, return_complex=True)
        power = torch.view_as_real(found).square().sum(-1)
        decibels = 10 * torch.log10((self.bands @ power).clamp_min(1e-10))
        return torch.maximum(decibels, decibels.max() - 80)


def mel_bands(frequencies: int, count: int) -> np.ndarray:
    """Triangles over the frequencies of 16 kHz sound, from 20 Hz up: ``(bands, frequencies)``."""

    def mel(hertz: Any) -> Any:
        return 2595 * np.log10(1 + np.asarray(hertz) / 700)

    edges = np.linspace(mel(20), mel(8000), count + 2)[:, None]
    places = mel(np.linspace(0, 8000, frequencies))
    steps = (places - edges[:-1]) / np.diff(edges, axis=0)  # 0 at an edge and 1 at the next
    shares = np.minimum(steps[:-1], 1 - steps[1:]).clip(0)
    shares[:, 0] = 0
    return shares


OF_IMAGES = {"Resizing": resizing, "CenterCrop": center_crop}
BUILDERS = {
    "Normalization": normalization,
    "Rescaling": rescaling,
    "Discretization": discretization,
    "CategoryEncoding": several_hot,
    "IntegerLookup": lookup,
    **OF_IMAGES,
    "STFTSpectrogram": PowerSpectrum,
    "MelSpectrogram": lambda case: Mel(**case.row.arguments),
}
