"""What all augmentation layers share: inputs in any form, draws, the mode, the configuration."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.symbol import SymbolicTensor
from slipstream.layers.augmentation import boxes as box_rules
from slipstream.layers.augmentation.drawing import Drawing
from slipstream.layers.augmentation.picture import photographs

Shape = tuple[int, int, int, int]  # batch, height, width, channels


class Augmentation(Drawing):
    """A layer that changes pictures at random while training and passes them on otherwise.

    Input: pictures ``(batch, height, width, channels)``, or one without the batch axis; or a
    dictionary with them under ``"images"`` and, each where wanted, ``"labels"``,
    ``"segmentation_masks"`` ``(batch, height, width, classes)`` and ``"bounding_boxes"`` with
    ``"boxes"`` ``(batch, boxes, 4)`` and ``"labels"`` ``(batch, boxes)``. Output in the same form.
    Other keys pass through.

    A subclass says in `_draw` what it draws and in `_images`, `_masks`, `_boxes` and `_labels` what
    it does with that. They see batches, channels last, pictures as floats, boxes as
    ``(left, top, right, bottom)`` in pixels.

    Args:
        seed: see `Drawing`.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        bounding_box_format: format of boxes; needed where there are any.
    """

    _always = False  # whether the layer acts in prediction too, then with no key to draw by
    _moves = False  # whether pixels go to other places, so that boxes have to follow

    def __init__(
        self,
        *,
        seed: int | None = None,
        data_format: str | None = None,
        bounding_box_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed=seed, **kwargs)
        self.data_format = data_format or config.image_data_format()
        if self.data_format not in ("channels_last", "channels_first"):
            raise self._fault("data_format", "'channels_last' or 'channels_first'", data_format)
        self.bounding_box_format = bounding_box_format
        if bounding_box_format is not None and bounding_box_format not in box_rules.FORMATS:
            wanted = f"one of {', '.join(box_rules.FORMATS)}"
            raise self._fault("bounding_box_format", wanted, bounding_box_format)

    # ---- what subclasses say -----------------------------------------------------------------

    def _draw(self, key: Any, shape: Shape) -> Any:
        """What is drawn for pictures of this shape; arrays with a row for each example."""
        return None

    def _images(self, images: Any, draw: Any) -> Any:
        return images

    def _masks(self, masks: Any, draw: Any) -> Any:
        return masks

    def _boxes(self, boxes: Any, draw: Any, shape: Shape) -> Any:
        return boxes

    def _labels(self, labels: Any, draw: Any) -> Any:
        return labels

    def _size(self, height: Any, width: Any) -> tuple[Any, Any]:
        """Height and width of the pictures that come out."""
        return height, width

    # ---- calling -----------------------------------------------------------------------------

    def _whole(self, data: Any, key: Any, training: bool) -> Any:
        """Augment data in the form in which it came."""
        given = dict(data) if isinstance(data, dict) else {"images": data}
        if given.get("images") is None:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} wants pictures under 'images'; got a "
                f"dictionary with {sorted(given)}."
            )
        rank = given["images"].ndim
        if rank not in (3, 4):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} takes pictures of 3 axes or batches of "
                f"them; got shape {given['images'].shape}."
            )
        known = {name: given[name] for name in _KNOWN if given.get(name) is not None}
        if "bounding_boxes" in known and self.bounding_box_format is None and self._moves:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r} got 'bounding_boxes' but does not know "
                "their format. Give the layer bounding_box_format='xyxy', for example."
            )
        dtype = self._dtype_of_images(known["images"].dtype)
        if rank == 3:
            known = jax.tree.map(lambda leaf: leaf[None], known)
        known["images"] = known["images"].astype(_working(self.compute_dtype))
        if training or self._always:
            known = self._facing(known, inwards=True)
            known = self._augment(known, key)
            known = self._facing(known, inwards=False)
        known["images"] = known["images"].astype(dtype)
        if rank == 3:
            known = jax.tree.map(lambda leaf: leaf[0], known)
        return {**given, **known} if isinstance(data, dict) else known["images"]

    def _facing(self, known: dict[str, Any], inwards: bool) -> dict[str, Any]:
        """Channels and boxes as subclasses see them, or back as they came."""
        known = dict(known)
        first = self.data_format == "channels_first"

        def turn(pictures: Any) -> Any:
            return jnp.moveaxis(pictures, *((-3, -1) if inwards else (-1, -3)))

        for name in ("images", "segmentation_masks") if first else ():
            if name in known:
                known[name] = turn(known[name])
        if "bounding_boxes" in known and self.bounding_box_format is not None:
            shape = known["images"].shape  # after turning outwards channels may be first
            height, width = shape[2:] if first and not inwards else shape[1:3]
            ways = (self.bounding_box_format, "xyxy")
            known["bounding_boxes"] = box_rules.convert_format(
                known["bounding_boxes"], *(ways if inwards else ways[::-1]), height, width
            )
            if not inwards:
                boxes = known["bounding_boxes"]["boxes"].astype(self.compute_dtype)
                known["bounding_boxes"]["boxes"] = boxes
        return known

    def _augment(self, known: dict[str, Any], key: Any) -> dict[str, Any]:
        """A batch of pictures and what belongs to them, augmented by one draw."""
        shape = known["images"].shape
        draw = self._draw(key, shape)
        result = {**known, "images": self._images(known["images"], draw)}
        if "segmentation_masks" in known:
            result["segmentation_masks"] = self._masks(known["segmentation_masks"], draw)
        if "labels" in known:
            result["labels"] = self._labels(known["labels"], draw)
        if "bounding_boxes" in known and self._moves:
            found = known["bounding_boxes"]
            moved = self._boxes(found["boxes"], draw, shape)
            size = self._size(*shape[1:3])
            result["bounding_boxes"] = box_rules.clip({**found, "boxes": moved}, *size)
        return result

    def _dtype_of_images(self, given: Any) -> Any:
        """Type of the pictures that come out."""
        whole = self.keeps_dtype and not jnp.issubdtype(given, jnp.floating)
        return jnp.dtype(given if whole else self.compute_dtype)

    # ---- shapes and configuration ------------------------------------------------------------

    def compute_output_shape(self, data_shape: Any) -> Any:
        """The input's shapes, with the new height and width."""
        if isinstance(data_shape, dict):
            return {**data_shape, "images": self.compute_output_shape(data_shape["images"])}
        shape = list(data_shape)
        axes = slice(-2, None) if self.data_format == "channels_first" else slice(-3, -1)
        shape[axes] = self._size(*shape[axes])
        return tuple(shape)

    def compute_output_spec(self, data: Any, training: bool = True) -> Any:
        """Symbolic outputs for symbolic inputs."""
        self._maybe_build((data,), {})
        if isinstance(data, dict):
            return {**data, **self._rest_spec(data), "images": self._images_spec(data["images"])}
        return self._images_spec(data)

    def _images_spec(self, images: Any) -> Any:
        dtype = self._dtype_of_images(jnp.dtype(images.dtype)).name
        return SymbolicTensor(self.compute_output_shape(tuple(images.shape)), dtype)

    def _rest_spec(self, data: dict[str, Any]) -> dict[str, Any]:
        """Specs of what belongs to the pictures, as the layer's types make them."""

        def spec(leaf: Any, shape: tuple) -> Any:
            floats = jnp.issubdtype(jnp.dtype(leaf.dtype), jnp.floating)
            return SymbolicTensor(shape, self.compute_dtype if floats else leaf.dtype)

        rest = {name: data[name] for name in data if name != "images"}
        found = jax.tree.map(lambda leaf: spec(leaf, tuple(leaf.shape)), rest)
        if "segmentation_masks" in rest:
            masks = rest["segmentation_masks"]
            found["segmentation_masks"] = spec(
                masks, Augmentation.compute_output_shape(self, tuple(masks.shape))
            )
        return found

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        boxes = self.bounding_box_format
        return {
            **super().get_config(),
            "data_format": self.data_format,
            **({} if boxes is None else {"bounding_box_format": boxes}),
        }

    def _panels(self, columns: list[Any], rows: int) -> list[list[Any]]:
        return photographs(self, columns, rows)


_KNOWN = ("images", "bounding_boxes", "segmentation_masks", "labels")


def _working(compute_dtype: str) -> Any:
    """Type in which pictures are worked on: places need more digits than 16-bit floats have."""
    return jnp.promote_types(compute_dtype, jnp.float32)
