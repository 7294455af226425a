"""Layers that change pictures, sounds, series and texts at random while training."""

from slipstream.layers.augmentation.audio import RandomGain, RandomNoise, RandomTimeShift
from slipstream.layers.augmentation.audio_masks import SpecAugment
from slipstream.layers.augmentation.audio_vocoder import RandomPitchShift, RandomTimeStretch
from slipstream.layers.augmentation.color import (
    RandomColorDegeneration,
    RandomColorJitter,
    RandomGrayscale,
    RandomHue,
    RandomSaturation,
)
from slipstream.layers.augmentation.cropping import RandomCrop
from slipstream.layers.augmentation.filters import (
    RandomElasticTransform,
    RandomGaussianBlur,
    RandomSharpness,
)
from slipstream.layers.augmentation.geometry import (
    RandomFlip,
    RandomRotation,
    RandomShear,
    RandomTranslation,
    RandomZoom,
)
from slipstream.layers.augmentation.histogram import (
    AutoContrast,
    ContrastLimitedAdaptiveHistogramEqualization,
    Equalization,
)
from slipstream.layers.augmentation.light import (
    RandomBrightness,
    RandomContrast,
    RandomInvert,
    RandomPosterization,
    Solarization,
)
from slipstream.layers.augmentation.mixing import (
    CutMix,
    MaxNumBoundingBoxes,
    MixUp,
    RandomErasing,
)
from slipstream.layers.augmentation.perspective import RandomPerspective
from slipstream.layers.augmentation.pipeline import Pipeline
from slipstream.layers.augmentation.policies import AugMix, RandAugment
from slipstream.layers.augmentation.sequence import (
    RandomJitter,
    RandomScaling,
    RandomTimeWarp,
    RandomWindow,
    SequenceMixUp,
)
from slipstream.layers.augmentation.text import TokenDropout, TokenMasking, TokenSwap
from slipstream.layers.augmentation.text_spans import SpanCorruption

__all__ = [
    "AugMix",
    "AutoContrast",
    "ContrastLimitedAdaptiveHistogramEqualization",
    "CutMix",
    "Equalization",
    "MaxNumBoundingBoxes",
    "MixUp",
    "Pipeline",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomCrop",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGain",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomJitter",
    "RandomNoise",
    "RandomPerspective",
    "RandomPitchShift",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomScaling",
    "RandomSharpness",
    "RandomShear",
    "RandomTimeShift",
    "RandomTimeStretch",
    "RandomTimeWarp",
    "RandomTranslation",
    "RandomWindow",
    "RandomZoom",
    "SequenceMixUp",
    "Solarization",
    "SpanCorruption",
    "SpecAugment",
    "TokenDropout",
    "TokenMasking",
    "TokenSwap",
]
