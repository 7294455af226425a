"""`Resizing` and `CenterCrop`: pictures of any size as pictures of one size."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.layers.preprocessing.host import one_of
from slipstream.ops.image_resizing import resize

_INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "lanczos3", "lanczos5")


class _Sized(Layer):
    """Base of layers that give pictures of one height and width.

    Input ``(batch, height, width, channels)`` or one picture, or a dictionary with such under
    ``"images"``, whose ``"labels"`` pass through.
    """

    per_example = True

    def __init__(
        self, height: int, width: int, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("height", height), ("width", width)):
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of "
                    f"at least 1; got {value!r}."
                )
        self.height, self.width = height, width
        self.data_format = data_format or config.image_data_format()

    def call(self, inputs: Any) -> Any:
        """Pictures of the new size."""
        if isinstance(inputs, dict):
            unknown = sorted(set(inputs) - {"images", "labels"})
            if unknown:
                raise ValueError(
                    f"{type(self).__name__} layer {self.path!r} takes 'images' and 'labels'; got "
                    f"{unknown} too. Handle those apart."
                )
            return {**inputs, "images": self._apply(inputs["images"])}
        return self._apply(inputs)

    def _apply(self, images: Any) -> Any:
        images = jnp.asarray(images)
        if images.ndim not in (3, 4):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} takes pictures of 3 axes or batches of "
                f"them; got shape {images.shape}."
            )
        return self._transform(images)

    def _transform(self, images: Any) -> Any:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape with the new height and width."""
        if isinstance(input_shape, dict):
            return {**input_shape, "images": self.compute_output_shape(input_shape["images"])}
        if self.data_format == "channels_first":
            return (*input_shape[:-2], self.height, self.width)
        return (*input_shape[:-3], self.height, self.width, input_shape[-1])

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """Symbolic outputs."""
        return self._keep_types(super().compute_output_spec(*args, **kwargs), args[0])

    def _keep_types(self, outputs: Any, inputs: Any) -> Any:
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "data_format": self.data_format,
            "height": self.height,
            "width": self.width,
        }


@register("layer")
class Resizing(_Sized):
    """Pictures in another size; whole numbers stay whole numbers.

    Args:
        height, width: the new size.
        interpolation: ``"bilinear"``, ``"nearest"``, ``"bicubic"``, ``"lanczos3"`` or
            ``"lanczos5"``.
        crop_to_aspect_ratio: cut off at the edges rather than distort.
        pad_to_aspect_ratio: fill up with `fill_value` rather than distort.
        fill_mode: ``"constant"``.
        fill_value: see there.
        antialias: filter before making pictures smaller.
        data_format: where the channels are.

    Raises:
        ValueError: if an argument is unknown, or the input has neither 3 nor 4 axes.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(height, width, data_format, **kwargs)
        self.interpolation = one_of(self, "interpolation", interpolation, _INTERPOLATIONS)
        self.fill_mode = one_of(self, "fill_mode", fill_mode, ("constant",))
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(
                f"Resizing layer {self.name!r}: only one of crop_to_aspect_ratio and "
                "pad_to_aspect_ratio may be True."
            )
        self.crop_to_aspect_ratio = crop_to_aspect_ratio
        self.pad_to_aspect_ratio = pad_to_aspect_ratio
        self.fill_value = fill_value
        self.antialias = antialias

    def _transform(self, images: Any) -> Any:
        return resize(
            images,
            size=(self.height, self.width),
            interpolation=self.interpolation,
            antialias=self.antialias,
            crop_to_aspect_ratio=self.crop_to_aspect_ratio,
            pad_to_aspect_ratio=self.pad_to_aspect_ratio,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )

    def _keep_types(self, outputs: Any, inputs: Any) -> Any:
        given, made = (v["images"] if isinstance(v, dict) else v for v in (inputs, outputs))
        if not jnp.issubdtype(given.dtype, jnp.floating):
            made.dtype = given.dtype
        return outputs

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


@register("layer")
class CenterCrop(_Sized):
    """The middle of pictures; where one is too small, it is resized without distortion.

    Args:
        height, width: the new size.
        data_format: where the channels are.
    """

    def _transform(self, images: Any) -> Any:
        images = images.astype(self.compute_dtype)
        first = self.data_format == "channels_first"
        rows, columns = (-2, -1) if first else (-3, -2)
        spare = (images.shape[rows] - self.height, images.shape[columns] - self.width)
        if min(spare) < 0:
            size = (self.height, self.width)
            return resize(
                images, size=size, crop_to_aspect_ratio=True, data_format=self.data_format
            )
        top, left = spare[0] // 2, spare[1] // 2
        part = (slice(top, top + self.height), slice(left, left + self.width))
        return images[(..., *part) if first else (..., *part, slice(None))]
