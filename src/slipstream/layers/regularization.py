"""Layers that act only while training, against overfitting."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer import Layer
from slipstream.core.random import layer_key
from slipstream.core.registry import register


@register("layer")
class Dropout(Layer):
    """Set a random share of the inputs to 0 while training (Srivastava et al., 2014).

    What is kept is scaled by ``1 / (1 - rate)``, so the expected sum stays the same.

    Args:
        rate: share to drop, from 0 to 1.
        noise_shape: shape of the mask, None where it follows the input; a 1 makes one draw
            serve the whole axis.
        seed: makes this layer's draws independent of its place in the model.

    Raises:
        ValueError: if `rate` is not between 0 and 1.
    """

    per_example = True
    supports_masking = True

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(
                f"Dropout layer {self.name!r}: rate must be between 0 and 1; got {rate}."
            )
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop while training, else pass the input on."""
        if not training or self.rate == 0:
            return inputs
        if self.rate == 1:
            return jnp.zeros_like(inputs)
        shape = inputs.shape
        if self.noise_shape is not None:
            shape = tuple(
                size if wanted is None else wanted
                for wanted, size in zip(self.noise_shape, inputs.shape, strict=True)
            )
        keep = jax.random.bernoulli(layer_key(self, self.seed), 1 - self.rate, shape)
        return jnp.where(keep, inputs / (1 - self.rate), jnp.zeros((), inputs.dtype))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "rate": self.rate,
            "seed": self.seed,
            "noise_shape": self.noise_shape,
        }
