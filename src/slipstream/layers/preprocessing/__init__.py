"""Layers that turn raw data into numbers that networks learn well from."""

from slipstream.layers.preprocessing.categories import CategoryEncoding
from slipstream.layers.preprocessing.discretization import Discretization
from slipstream.layers.preprocessing.hashing import HashedCrossing, Hashing
from slipstream.layers.preprocessing.integer_lookup import IntegerLookup
from slipstream.layers.preprocessing.mel_spectrogram import MelSpectrogram
from slipstream.layers.preprocessing.resizing import CenterCrop, Resizing
from slipstream.layers.preprocessing.scaling import Normalization, Rescaling
from slipstream.layers.preprocessing.stft_spectrogram import STFTSpectrogram
from slipstream.layers.preprocessing.string_lookup import StringLookup
from slipstream.layers.preprocessing.text import TextVectorization

__all__ = [
    "CategoryEncoding",
    "CenterCrop",
    "Discretization",
    "HashedCrossing",
    "Hashing",
    "IntegerLookup",
    "MelSpectrogram",
    "Normalization",
    "Rescaling",
    "Resizing",
    "STFTSpectrogram",
    "StringLookup",
    "TextVectorization",
]
