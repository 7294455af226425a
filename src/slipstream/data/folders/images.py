"""Pictures: between files, PIL images and arrays; and datasets of picture files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core import config
from slipstream.data.folders.files import from_directory
from slipstream.data.folders.resample import INTERPOLATIONS, resize, smart_resize

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = {"rgb": "RGB", "rgba": "RGBA", "grayscale": "L"}
_CHANNELS = {"rgb": 3, "rgba": 4, "grayscale": 1}


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise ImportError(
            "Reading and writing pictures needs Pillow. Install it with: "
            "pip install 'slipstream[images]'"
        ) from error
    return PIL.Image


def _color_mode(color_mode: str) -> str:
    if color_mode not in _MODES:
        raise ValueError(f"color_mode must be 'rgb', 'rgba' or 'grayscale'; got {color_mode!r}.")
    return color_mode


def load_img(
    path: Any,
    color_mode: str = "rgb",
    target_size: Any = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """A picture file as a PIL image.

    Args:
        path: the file, or an open one.
        color_mode: ``"rgb"``, ``"rgba"`` or ``"grayscale"``.
        target_size: ``(height, width)`` to resize to.
        interpolation: ``"nearest"``, ``"bilinear"``, ``"bicubic"``, ``"hamming"``, ``"box"`` or
            ``"lanczos"``, Pillow's.
        keep_aspect_ratio: crop around the centre before resizing.

    Raises:
        ImportError: without Pillow.
        FileNotFoundError: if there is no such file.
        ValueError: if the file is damaged or no picture, or an argument is unknown.
    """
    image_module = _pillow()
    color_mode = _color_mode(color_mode)
    if isinstance(path, io.IOBase):
        shown = repr(path)
    else:
        shown = repr(str(path))
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no file {shown}.")
    try:
        with image_module.open(path) as opened:
            wide_gray = opened.mode in ("I;16", "I", "F")
            if color_mode == "grayscale" and wide_gray:
                opened.load()
                image = opened.copy()
            else:
                image = opened.convert(_MODES[color_mode])
    except Exception as error:  # decoders raise many kinds of errors on damaged files
        raise ValueError(
            f"The picture {shown} is damaged or of an unknown kind: {error} Remove it from the "
            "data, or save it again."
        ) from error
    if target_size is None:
        return image
    filters = {name.lower(): item for name, item in image_module.Resampling.__members__.items()}
    if interpolation not in filters:
        raise ValueError(
            f"interpolation must be one of {', '.join(sorted(filters))}; got {interpolation!r}."
        )
    height, width = target_size
    box = None
    if keep_aspect_ratio:
        old_width, old_height = image.size
        crop_height = min(old_height, int(old_width * height / width))
        crop_width = min(old_width, int(old_height * width / height))
        top, left = (old_height - crop_height) // 2, (old_width - crop_width) // 2
        box = (left, top, left + crop_width, top + crop_height)
    if image.size == (width, height) and box is None:
        return image
    return image.resize((width, height), filters[interpolation], box=box)


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """A PIL image as an array ``(height, width, channels)``, or channels first.

    Raises:
        ValueError: if it has neither 2 nor 3 axes, or data_format is unknown.
    """
    data_format = _data_format(data_format)
    array = np.asarray(img, dtype=dtype or config.floatx())
    if array.ndim == 2:
        return array[..., None] if data_format == "channels_last" else array[None]
    if array.ndim != 3:
        raise ValueError(f"A picture has 2 or 3 axes; got shape {array.shape}.")
    return array if data_format == "channels_last" else np.moveaxis(array, -1, 0)


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """An array ``(height, width, channels)`` (or channels first) as a PIL image.

    Args:
        x: with 1, 3 or 4 channels.
        data_format: where the channels are.
        scale: spread the values over 0 to 255 first.
        dtype: type to compute in.

    Raises:
        ImportError: without Pillow.
        ValueError: if the shape is no picture's.
    """
    image_module = _pillow()
    data_format = _data_format(data_format)
    array = np.array(x, dtype=dtype or config.floatx())
    if array.ndim != 3:
        raise ValueError(f"A picture has 3 axes; got shape {array.shape}.")
    if data_format == "channels_first":
        array = np.moveaxis(array, 0, -1)
    if scale:
        array = array - array.min()
        highest = array.max()
        if highest:
            array = array / highest
        array = array * 255
    channels = array.shape[-1]
    if channels not in (1, 3, 4):
        raise ValueError(f"A picture has 1, 3 or 4 channels; got {channels} in {array.shape}.")
    if channels == 1:
        if array.max() > 255:
            return image_module.fromarray(array[..., 0].astype("int32"))
        return image_module.fromarray(array[..., 0].astype("uint8"))
    return image_module.fromarray(array.astype("uint8"))


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **kwargs: Any,
) -> None:
    """Write an array as a picture file; see `array_to_img`. `kwargs` go to Pillow."""
    image = array_to_img(x, data_format, scale)
    ending = (file_format or Path(str(path)).suffix.lstrip(".")).lower()
    if image.mode == "RGBA" and ending in ("jpg", "jpeg"):
        image = image.convert("RGB")
    image.save(path, format="JPEG" if file_format == "jpg" else file_format, **kwargs)


def _data_format(data_format: str | None) -> str:
    data_format = data_format or config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"data_format must be 'channels_last' or 'channels_first'; got {data_format!r}."
        )
    return data_format


def image_dataset_from_directory(
    directory: Any,
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Any = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Any = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str | None = None,
    verbose: bool = True,
) -> Any:
    """Picture files in a folder, a folder a class, as batches for `fit`.

    Batches are ``(batch, height, width, channels)`` float32 from 0 to 255, and targets unless
    label_mode is None. Threads read files while the device works.

    Args:
        directory: the folder.
        labels: ``"inferred"`` from the folders, None, or a class number for each file.
        label_mode: ``"int"``, ``"categorical"``, ``"binary"`` or None.
        class_names: the folders in the order of their numbers; sorted if not given.
        color_mode: ``"rgb"``, ``"rgba"`` or ``"grayscale"``.
        batch_size: pictures of a batch; None for single ones.
        image_size: ``(height, width)`` that all are resized to.
        shuffle: whether each epoch has an order of its own.
        seed: makes order and split repeatable.
        validation_split: share of the files for validation.
        subset: ``"training"``, ``"validation"`` or ``"both"``.
        interpolation: see `INTERPOLATIONS`.
        follow_links: whether to go into linked folders.
        crop_to_aspect_ratio, pad_to_aspect_ratio: resize without distortion.
        data_format: where the channels are.
        format: kept for Keras' signature.
        verbose: whether to print what was found.

    Returns:
        A dataset with `class_names` and `file_paths`; two for ``subset="both"``.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if arguments do not fit, there are no pictures or, while reading, a picture is
            damaged.
    """
    _pillow()
    _color_mode(color_mode)
    data_format = _data_format(data_format)
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"interpolation must be one of {', '.join(INTERPOLATIONS)}; got {interpolation!r}."
        )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError("Only one of crop_to_aspect_ratio and pad_to_aspect_ratio may be True.")
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    size = (int(image_size[0]), int(image_size[1]))

    def read(path: str) -> np.ndarray:
        picture = img_to_array(load_img(path, color_mode), "channels_last", np.float32)
        if crop_to_aspect_ratio:
            picture = smart_resize(picture, size, interpolation)
        elif pad_to_aspect_ratio:
            picture = smart_resize(picture, size, interpolation, "pad")
        else:
            picture = resize(picture, size, interpolation)
        return picture if data_format == "channels_last" else np.moveaxis(picture, -1, 0)

    return from_directory(
        directory,
        read,
        EXTENSIONS,
        "picture",
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
    )
