"""Layers that change pictures at random while training."""

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
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomZoom",
    "Solarization",
]
