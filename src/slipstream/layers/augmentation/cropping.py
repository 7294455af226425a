"""`RandomCrop`: a part of each picture, of one size."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.augmentation.arguments import uniform
from slipstream.layers.augmentation.base import Augmentation, Shape
from slipstream.ops.image_resizing import resize


@register("layer")
class RandomCrop(Augmentation):
    """Cut a part of one size out of each picture, at a place drawn for each.

    In prediction it is the middle. Of a picture that is smaller than the part, the middle is
    stretched to its size.

    Args:
        height, width: of the part.
        seed, data_format: see `Augmentation`.

    Raises:
        ValueError: unless height and width are whole numbers of at least 1.
    """

    _arguments = ("height", "width", "seed")
    _moves = True
    _always = True  # pictures of another size would fit no layer that follows

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, data_format=data_format, name=name, **kwargs)
        for argument, value in (("height", height), ("width", width)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise self._fault(argument, "a whole number of at least 1", value)
        self.height, self.width = height, width

    def _size(self, height: Any, width: Any) -> tuple[Any, Any]:
        return self.height, self.width

    def _draw(self, key: Any, shape: Shape) -> Any:
        batch, height, width, _ = shape
        if height < self.height or width < self.width:
            return self._middle(batch, height, width)
        spare = (height - self.height, width - self.width)
        if key is None:
            return tuple(jnp.full((batch,), size // 2) for size in spare)
        shares = uniform(key, batch, 2)
        return tuple(
            jnp.minimum(jnp.floor(share * (size + 1)), size).astype("int32")
            for share, size in zip(shares, spare)
        )

    def _middle(self, batch: int, height: int, width: int) -> Any:
        """First row and column of the middle of the new proportions."""
        tall = min(height, int(width * self.height / self.width))
        wide = min(width, int(height * self.width / self.height))
        return tuple(jnp.full((batch,), size // 2) for size in (height - tall, width - wide))

    def _images(self, images: Any, draw: Any) -> Any:
        return self._part(images, draw, "bilinear")

    def _masks(self, masks: Any, draw: Any) -> Any:
        return self._part(masks, draw, "nearest")

    def _part(self, images: Any, draw: Any, interpolation: str) -> Any:
        height, width = images.shape[1:3]
        size = (min(height, self.height), min(width, self.width))

        def cut(image: Any, top: Any, left: Any) -> Any:
            return jax.lax.dynamic_slice(image, (top, left, 0), (*size, image.shape[-1]))

        parts = jax.vmap(cut)(images, *draw)
        if size == (self.height, self.width):
            return parts
        return resize(parts, (self.height, self.width), interpolation, data_format="channels_last")

    def _boxes(self, boxes: Any, draw: Any, shape: Shape) -> Any:
        top, left = (start.astype(boxes.dtype) for start in draw)
        size = (min(shape[1], self.height), min(shape[2], self.width))
        start = jnp.stack([left, top, left, top], -1)[:, None]
        tall, wide = self.height / size[0], self.width / size[1]
        return (boxes - start) * jnp.asarray([wide, tall, wide, tall], boxes.dtype)
