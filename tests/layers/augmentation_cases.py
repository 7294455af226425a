"""Each augmentation layer with arguments that make it act, and pictures to try it on."""

from __future__ import annotations

from typing import Any

import numpy as np

EVERY: dict[str, dict[str, Any]] = {
    "RandomFlip": {"mode": "horizontal"},
    "RandomRotation": {"factor": 0.2, "fill_mode": "constant", "fill_value": 3.0},
    "RandomZoom": {"height_factor": (-0.3, 0.2), "width_factor": 0.1, "interpolation": "nearest"},
    "RandomCrop": {"height": 4, "width": 5},
    "RandomContrast": {"factor": (0.3, 0.6)},
    "RandomTranslation": {"height_factor": 0.3, "width_factor": (-0.2, 0.1), "fill_mode": "wrap"},
    "RandomBrightness": {"factor": 0.4},
    "RandomShear": {"x_factor": (0.1, 0.3), "y_factor": (0.0, 0.2)},
    "RandomHue": {"factor": 0.4},
    "RandomSaturation": {"factor": (0.2, 0.8)},
    "RandomColorDegeneration": {"factor": (0.1, 0.9)},
    "RandomGrayscale": {"factor": 0.5},
    "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.3, "hue_factor": 0.1},
    "RandomPosterization": {"factor": (2, 5)},
    "Solarization": {"addition_factor": 0.2, "threshold_factor": (0.3, 0.6)},
    "RandomInvert": {"factor": (0.4, 0.6)},
    "RandomSharpness": {"factor": (0.0, 0.9)},
    "RandomGaussianBlur": {"factor": (0.5, 1.0), "kernel_size": (3, 5), "sigma": (0.4, 1.0)},
    "RandomElasticTransform": {"factor": (0.5, 1.0), "scale": (0.5, 1.0), "fill_mode": "nearest"},
    "RandomPerspective": {"factor": (0.5, 1.0), "scale": 0.7, "fill_value": 2.0},
    "RandomErasing": {"factor": (0.5, 1.0), "scale": (0.1, 0.4)},
    "AutoContrast": {},
    "Equalization": {"bins": 128},
    "ContrastLimitedAdaptiveHistogramEqualization": {"clip_limit": 3.0, "tile_grid_size": (2, 3)},
    "MixUp": {"alpha": 0.4},
    "CutMix": {"factor": (0.5, 1.0)},
    "RandAugment": {"num_ops": 2, "factor": (0.2, 0.6)},
    "AugMix": {"num_chains": 2, "chain_depth": 2, "factor": 0.4},
    "MaxNumBoundingBoxes": {"max_number": 3},
}
ALWAYS = {
    "AutoContrast", "ContrastLimitedAdaptiveHistogramEqualization", "MaxNumBoundingBoxes",
    "RandomCrop",
}  # fmt: skip
UNSEEDED = {
    "AutoContrast", "Equalization", "ContrastLimitedAdaptiveHistogramEqualization",
    "MaxNumBoundingBoxes",
}  # fmt: skip
COLORED = {"RandomHue", "RandomSaturation", "RandomColorJitter"}
KEEP_BYTES = {
    "RandomBrightness", "RandomGrayscale", "MaxNumBoundingBoxes",
    "ContrastLimitedAdaptiveHistogramEqualization",
}  # fmt: skip
NO_BOXES = {"RandomElasticTransform", "CutMix"}


def pictures(*shape: int, seed: int = 0) -> np.ndarray:
    """Noise from 0 to 255."""
    return np.random.default_rng(seed).uniform(0, 255, shape).astype("float32")


def blob(batch: int, height: int, width: int, top: int, left: int, size: int) -> np.ndarray:
    """Black pictures with a white square."""
    images = np.zeros((batch, height, width, 1), "float32")
    images[:, top : top + size, left : left + size] = 255
    return images


def agree(ours: Any, theirs: Any, scale: float = 255.0, tolerance: float = 1e-4) -> None:
    """Both are the same pictures, up to a share of the value range."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=tolerance * scale)
