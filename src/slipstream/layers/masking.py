"""`Masking`: marks the steps that only fill up a sequence."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.scope import attach


@register("layer")
class Masking(Layer):
    """Mask, and set to 0, each step whose features all equal `mask_value`.

    Input and output ``(batch, time, …, features)``; the mask is ``(batch, time, …)``.

    Args:
        mask_value: the value that fills up sequences.
    """

    per_example = True
    supports_masking = True

    def __init__(self, mask_value: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs: Any) -> Any:
        """The inputs with masked steps at 0, the mask noted on them."""
        mask = self.compute_mask(inputs, None)
        outputs = jnp.where(mask[..., None], inputs, jnp.zeros((), inputs.dtype))
        attach(outputs, "mask", mask)
        return outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """True where some feature differs from `mask_value`."""
        return jnp.any(inputs != self.mask_value, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "mask_value": self.mask_value}
