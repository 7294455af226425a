"""`FiLM`: one input scales and shifts the channels of another."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, widened


@register("layer")
class FiLM(Fusion):
    """``(1 + scale) * x + shift`` for each channel of `x` (Perez et al., 2018).

    Scale and shift are affine functions of the other inputs, those of several added up. They start
    at 0, so that the layer starts by passing `x` on; a missing input adds nothing.

    Args:
        target: which input is `x`: its place in the list, or its key.

    `x` is ``(batch, …, channels)``, the others are ``(batch, features)``; the output is like `x`,
    with its mask. See `Fusion` for missing inputs.

    Raises:
        ValueError: if there is no input `target`, or the shapes do not fit.
    """

    supports_masking = True
    per_example = True

    def __init__(self, target: int | str = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target = target

    def build(self, input_shape: Any) -> None:
        """Create the affine functions."""
        shapes = self._shapes(input_shape)
        self._place = place_of(self, self.target, input_shape)
        channels = shapes[self._place][-1]
        self._conditions = [
            None
            if i == self._place
            else self._dense(f"condition_{i}", 2 * channels, shape, kernel_initializer="zeros")
            for i, shape in enumerate(shapes)
        ]
        wrong = [shape for i, shape in enumerate(shapes) if i != self._place and len(shape) != 2]
        if wrong:
            raise ValueError(
                f"FiLM layer {self.path!r} takes what scales and shifts as (batch, features); got "
                f"{wrong}. Pool it first, as with GlobalAveragePooling1D."
            )

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        x = arrays[self._place]
        both: Any = 0.0
        for layer, array, there in zip(self._conditions, arrays, present):
            if layer is not None:
                part = layer(array)
                both = both + (part if there is None else jnp.where(there[:, None], part, 0))
        scale, shift = jnp.split(both, 2, -1)
        scale, shift = (
            part.reshape(part.shape[0], *(1,) * (x.ndim - 2), part.shape[-1])
            for part in (scale, shift)
        )
        outputs = (1 + scale) * x + shift
        there = present[self._place]
        return outputs if there is None else jnp.where(widened(there, x), outputs, 0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The mask of the target."""
        if mask is None:
            return None
        if isinstance(mask, dict):
            return mask.get(self.target)
        return mask[self._place]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The target's shape."""
        return self._shapes(input_shape)[place_of(self, self.target, input_shape)]

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "target": self.target}


def place_of(layer: Fusion, target: Any, inputs: Any) -> int:
    """The place of an input, given by its place or key, among the inputs in order.

    Raises:
        ValueError: if there is none such.
    """
    names = sorted(inputs) if isinstance(inputs, dict) else list(range(len(inputs)))
    if isinstance(inputs, dict) and target == 0 and 0 not in names:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.path!r} is called on a dictionary, so it must be "
            f"told by key which input is meant. Keys: {names}."
        )
    if target not in names:
        raise ValueError(
            f"{type(layer).__name__} layer {layer.path!r} has no input {target!r}. Inputs: {names}."
        )
    return names.index(target)
