"""Layers that put something else into pictures: noise, or parts of other pictures."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.core.symbol import SymbolicTensor
from slipstream.kernels.channels import once
from slipstream.kernels.mixing import blend, crossing, paste
from slipstream.kernels.pointwise import per_pixel
from slipstream.layers.augmentation.arguments import (
    between,
    chosen,
    limits,
    uniform,
    value_limits,
)
from slipstream.layers.augmentation.base import Augmentation, Shape
from slipstream.layers.augmentation.rectangles import rectangles


def even_beta(alpha: Any, numbers: list[Any]) -> Any:
    """Draws of the beta distribution with both parameters `alpha`, from four uniform numbers.

    First with ``alpha + 1`` (Ulrich, 1984), then down to `alpha` as gamma variables go
    (Stuart, 1962). No loop, so it fuses.
    """
    alpha = jnp.maximum(alpha, 1e-6)
    first, second, third, fourth = (jnp.clip(u, 1e-7, 1 - 1e-7) for u in numbers)
    radius = jnp.sqrt(-jnp.expm1(2 / (2 * alpha + 1) * jnp.log(first)))
    middle = jnp.clip(0.5 + 0.5 * radius * jnp.cos(2 * jnp.pi * second), 1e-7, 1 - 1e-7)
    odds = jnp.log(middle) - jnp.log1p(-middle) + (jnp.log(third) - jnp.log(fourth)) / alpha
    return jax.nn.sigmoid(odds)


@register("layer")
class RandomErasing(Augmentation):
    """Put noise or one value into a rectangle (Zhong et al., 2020).

    Args:
        factor: probability of that for a picture, drawn between two ends or from 0 to one number.
        scale: share of the picture's area, two ends or one number for 0 to it. The square roots of
            two draws are the shares of height and width.
        fill_value: value to put in; normal noise if not given.
        value_range: least and greatest value of a pixel.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for numbers beyond 0 to 1 or another value range.
    """

    _arguments = ("factor", "scale", "fill_value", "value_range", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        scale: Any = (0.02, 0.33),
        fill_value: float | None = None,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)
        self.scale = limits(self, "scale", scale, 0, 1)
        self.fill_value = fill_value
        self.value_range = value_limits(self, value_range)

    def _draw(self, key: Any, shape: Shape) -> Any:
        chance, share, tall, wide, down, across = uniform(key, shape[0], 6)
        tall, wide = (jnp.sqrt(between(number, self.scale)) for number in (tall, wide))
        area = crossing(rectangles(shape, tall, wide, down, across))
        area = area & per_pixel(chosen(self.factor, chance, share))
        if self.fill_value is not None:
            return area, jnp.full((1, 1, 1, 1), self.fill_value, jnp.float32)
        low, high = self.value_range
        noise = jax.random.normal(jax.random.fold_in(key, 1), shape) * high
        return area, jnp.clip(noise, low, high)

    def _images(self, images: Any, draw: Any) -> Any:
        area, fill = draw
        return jnp.where(area, fill, images)


def by_size(numbers: Any) -> Any:
    """``(batch,)`` places of ``(batch,)`` numbers from the least to the greatest.

    Few numbers are compared each with each: a CPU sorts for longer, and threads fall asleep.
    """
    count = len(numbers)
    if count > _FEW:
        return jnp.argsort(numbers)
    place = jnp.arange(count)
    numbers = once(numbers)
    equal = (numbers == numbers[:, None]) & (place < place[:, None])
    rank = jnp.sum((numbers < numbers[:, None]) | equal, 1, dtype=place.dtype)
    return jnp.sum(jnp.where(rank == place[:, None], place, 0), 1, dtype=place.dtype)


_FEW = 256  # numbers


class _Mixing(Augmentation):
    """A layer that mixes each example with another one of the batch."""

    per_example = False

    def _order(self, key: Any, batch: int) -> Any:
        """Each example's partner."""
        return by_size(jax.random.uniform(jax.random.fold_in(key, 1), (batch,)))

    def _labels(self, labels: Any, draw: Any) -> Any:
        weight, order = draw[0], draw[1]
        weight = weight.reshape(-1, *(1,) * (labels.ndim - 1))
        mixed = weight * labels + (1 - weight) * labels[order]
        return mixed.astype(self.compute_dtype)

    def _rest_spec(self, data: dict[str, Any]) -> dict[str, Any]:
        found = super()._rest_spec(data)
        if "labels" in found:
            found["labels"] = SymbolicTensor(tuple(data["labels"].shape), self.compute_dtype)
        return found

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        labels = known.get("labels")
        if (
            labels is not None
            and labels.ndim < 2
            and not jnp.issubdtype(labels.dtype, jnp.floating)
        ):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} mixes labels, so class numbers do not "
                f"do; got {labels.dtype} labels of shape {labels.shape}. Use one-hot labels."
            )
        return super()._augment(known, key)


@register("layer")
class MixUp(_Mixing):
    """Blend each picture and label with those of another example (Zhang et al., 2018).

    Segmentation masks are blended too. Boxes of both examples are kept, those of the other one
    behind.

    Args:
        alpha: shares follow a beta distribution with both parameters alpha.
        data_format, seed: see `Augmentation`.

    Raises:
        ValueError: if alpha is negative, or labels are class numbers.
    """

    _arguments = ("alpha", "seed")

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        if not isinstance(alpha, (int, float)) or alpha < 0:
            raise self._fault("alpha", "a number of at least 0", alpha)
        self.alpha = alpha

    def _draw(self, key: Any, shape: Shape) -> Any:
        weight = even_beta(self.alpha, uniform(key, shape[0], 4))
        return weight, self._order(key, shape[0])

    def _images(self, images: Any, draw: Any) -> Any:
        weight, order = draw
        return blend(images, weight.astype(images.dtype), order)

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._images(masks.astype(jnp.float32), draw).astype(self.compute_dtype)

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        result = super()._augment(known, key)
        if "bounding_boxes" in known:
            order = self._order(key, known["images"].shape[0])
            result["bounding_boxes"] = {
                name: jnp.concatenate([value, value[order]], 1)
                for name, value in known["bounding_boxes"].items()
            }
        return result

    def _rest_spec(self, data: dict[str, Any]) -> dict[str, Any]:
        found = super()._rest_spec(data)
        if "segmentation_masks" in found:
            shape = found["segmentation_masks"].shape
            found["segmentation_masks"] = SymbolicTensor(shape, self.compute_dtype)
        for name, spec in found.get("bounding_boxes", {}).items():
            twice = None if spec.shape[1] is None else 2 * spec.shape[1]
            shape = (spec.shape[0], twice, *spec.shape[2:])
            found["bounding_boxes"][name] = SymbolicTensor(shape, spec.dtype)
        return found


@register("layer")
class CutMix(_Mixing):
    """Put a rectangle of another picture into each, and blend labels (Yun et al., 2019).

    Segmentation masks are cut likewise.

    Args:
        factor: parameter of the beta distribution that the kept share of the area follows, two
            ends to draw it from or one number for 0 to it.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: for factors beyond 0 to 1, or if labels are class numbers.
        NotImplementedError: if the input holds boxes.
    """

    _arguments = ("factor", "seed")

    def __init__(
        self,
        factor: Any = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.factor = limits(self, "factor", factor, 0, 1)

    def _draw(self, key: Any, shape: Shape) -> Any:
        strength, down, across, *numbers = uniform(key, shape[0], 7)
        weight = even_beta(between(strength, self.factor), numbers)
        side = jnp.sqrt(1 - weight)
        return weight, self._order(key, shape[0]), rectangles(shape, side, side, down, across)

    def _images(self, images: Any, draw: Any) -> Any:
        _, order, area = draw
        return paste(images, order, area)

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._images(masks, draw)

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        if "bounding_boxes" in known:
            raise NotImplementedError(
                f"CutMix layer {self.path!r} cannot mix boxes. Leave them out, or use MixUp."
            )
        return super()._augment(known, key)


@register("layer")
class MaxNumBoundingBoxes(Augmentation):
    """Cut or fill up each picture's boxes to one number, in prediction too. Bytes stay bytes.

    Args:
        max_number: of boxes.
        fill_value: of the corners and labels of boxes that are added.

    Raises:
        ValueError: unless the number is whole and at least 1.
    """

    keeps_dtype = True
    _arguments = ("max_number", "fill_value")
    _random = False
    _always = True

    def __init__(self, max_number: int, fill_value: float = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(max_number, int) or max_number < 1:
            raise self._fault("max_number", "a whole number of at least 1", max_number)
        self.max_number, self.fill_value = max_number, fill_value

    def _facing(self, known: dict[str, Any], inwards: bool) -> dict[str, Any]:
        return known  # neither pictures nor the boxes' format count

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        if "bounding_boxes" not in known:
            return known
        cut = {name: value[:, : self.max_number] for name, value in known["bounding_boxes"].items()}
        filled = {
            name: jnp.pad(
                value,
                [(0, 0), (0, self.max_number - value.shape[1]), *[(0, 0)] * (value.ndim - 2)],
                constant_values=self.fill_value,
            )
            for name, value in cut.items()
        }
        return {**known, "bounding_boxes": filled}

    def _rest_spec(self, data: dict[str, Any]) -> dict[str, Any]:
        found = super()._rest_spec(data)
        for name, spec in found.get("bounding_boxes", {}).items():
            shape = (spec.shape[0], self.max_number, *spec.shape[2:])
            found["bounding_boxes"][name] = SymbolicTensor(shape, spec.dtype)
        return found
