"""The layers that are timed, and what does the same in torchvision."""

from __future__ import annotations

from typing import Any, NamedTuple

SHAPE = (64, 64, 64, 3)  # pictures of a call, height, width, channels
_SMOOTH = {"interpolation": "bilinear"}  # as ours and Keras' do by default


class Row(NamedTuple):
    """A layer and its peer.

    Attributes:
        options: arguments of the layer, in Slipstream and in Keras.
        torch: names and arguments of the transforms of torchvision, one after the other; empty
            where it has none.
        mixes: whether pictures are mixed with each other, so that a call needs all of them.
    """

    options: dict[str, Any]
    torch: tuple[tuple[str, dict[str, Any]], ...] = ()
    mixes: bool = False


def _row(name: str, torch: dict[str, Any] | None = None, mixes: bool = False, **own: Any) -> Row:
    return Row(own, ((name, torch or {}),) if name else (), mixes)


ROWS: dict[str, Row] = {
    "RandomFlip": Row({}, (("RandomHorizontalFlip", {}), ("RandomVerticalFlip", {}))),
    "RandomRotation": _row("RandomRotation", {"degrees": 36, **_SMOOTH}, factor=0.1),
    "RandomZoom": _row(
        "RandomAffine",
        {"degrees": 0, "scale": (0.8, 1.2), **_SMOOTH},
        height_factor=0.2,
        width_factor=0.2,
    ),
    "RandomTranslation": _row(
        "RandomAffine",
        {"degrees": 0, "translate": (0.2, 0.2), **_SMOOTH},
        height_factor=0.2,
        width_factor=0.2,
    ),
    "RandomShear": _row(
        "RandomAffine",
        {"degrees": 0, "shear": (-11, 11, -11, 11), **_SMOOTH},
        x_factor=0.2,
        y_factor=0.2,
    ),
    "RandomCrop": _row("RandomCrop", {"size": 56}, height=56, width=56),
    "RandomPerspective": _row(
        "RandomPerspective", {"distortion_scale": 0.5, "p": 1.0, **_SMOOTH}, scale=0.5
    ),
    "RandomElasticTransform": _row("ElasticTransform", {}, scale=0.5),
    "RandomContrast": _row("ColorJitter", {"contrast": 0.3}, factor=0.3),
    "RandomBrightness": _row("ColorJitter", {"brightness": 0.2}, factor=0.2),
    "RandomHue": _row("ColorJitter", {"hue": 0.15}, factor=0.3),
    "RandomSaturation": _row("ColorJitter", {"saturation": (0.4, 1.6)}, factor=0.6),
    "RandomColorDegeneration": _row("ColorJitter", {"saturation": (0.5, 1.0)}, factor=0.5),
    "RandomColorJitter": _row(
        "ColorJitter",
        {"brightness": 0.2, "contrast": 0.2, "hue": 0.1},
        brightness_factor=0.2,
        contrast_factor=0.2,
        hue_factor=0.2,
    ),
    "RandomGrayscale": _row("RandomGrayscale", {"p": 0.5}),
    "RandomPosterization": _row("RandomPosterize", {"bits": 4, "p": 1.0}, factor=4),
    "Solarization": _row(
        "RandomSolarize", {"threshold": 128, "p": 1.0}, addition_factor=0.2, threshold_factor=0.6
    ),
    "RandomInvert": _row("RandomInvert", {"p": 0.5}),
    "RandomSharpness": _row(
        "RandomAdjustSharpness", {"sharpness_factor": 1.6, "p": 1.0}, factor=0.6
    ),
    "RandomGaussianBlur": _row("GaussianBlur", {"kernel_size": 3}),
    "RandomErasing": _row("RandomErasing", {"p": 1.0}),
    "AutoContrast": _row("RandomAutocontrast", {"p": 1.0}),
    "Equalization": _row("RandomEqualize", {"p": 1.0}),
    "ContrastLimitedAdaptiveHistogramEqualization": _row(""),
    "MixUp": _row("MixUp", {"num_classes": 10}, mixes=True),
    "CutMix": _row("CutMix", {"num_classes": 10}, mixes=True),
    "RandAugment": _row("RandAugment"),
    "AugMix": _row("AugMix"),
}
