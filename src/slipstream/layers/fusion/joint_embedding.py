"""`JointEmbedding`: all modalities in one space, for contrastive training."""

from __future__ import annotations

from math import log
from typing import Any

import jax.numpy as jnp

from slipstream import initializers
from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, filled


@register("layer")
class JointEmbedding(Fusion):
    """Embeddings of one length in one space, whose dot products are similarities (CLIP).

    Each input is projected without a bias, brought to length 1 and multiplied by the square root
    of ``1 / temperature``, which is learned (Radford et al., 2021): the dot product of two
    embeddings is then the logit that `losses.InfoNCE` takes, their cosine over the temperature.

    Args:
        units: size of the embeddings.
        temperature: initial value.
        max_scale: upper bound of ``1 / temperature``.

    Inputs ``(batch, features)``, output ``(batch, modalities, units)``, 0 where an input is
    missing; see `Fusion`.

    Raises:
        ValueError: if `units` is not a whole number of at least 1, or the temperature is not above
            0.
    """

    def __init__(
        self, units: int, temperature: float = 0.07, max_scale: float = 100.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = self._count("units", units)
        if not temperature > 0:
            raise ValueError(
                f"JointEmbedding layer {self.name!r}: temperature must be above 0; got "
                f"{temperature}."
            )
        self.temperature = temperature
        self.max_scale = max_scale

    def build(self, input_shape: Any) -> None:
        """Create projections and the temperature."""
        self.compute_output_shape(input_shape)
        self._projections = [
            self._dense(f"projection_{i}", self.units, shape, use_bias=False)
            for i, shape in enumerate(self._shapes(input_shape))
        ]
        start = initializers.Constant(-log(self.temperature))
        self.log_scale = self.add_weight((), start, name="log_scale")

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        values = jnp.stack([layer(x) for layer, x in zip(self._projections, arrays)], 1)
        values = values.astype(jnp.float32)
        squares = jnp.sum(jnp.square(values), -1, keepdims=True)
        unit = values / jnp.sqrt(jnp.maximum(squares, 1e-12))
        scale = jnp.exp(0.5 * jnp.minimum(self.log_scale.value, log(self.max_scale)))
        outputs = unit * scale
        if any(there is not None for there in present):
            outputs = jnp.where(jnp.stack(filled(present, arrays), 1), outputs, 0)
        return outputs.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, modalities, units)``."""
        shapes = self._shapes(input_shape)
        if any(len(shape) != 2 for shape in shapes):
            raise ValueError(
                f"JointEmbedding layer {self.path!r} takes one vector an example, (batch, "
                f"features); got shapes {shapes}. Pool sequences first."
            )
        return (shapes[0][0], len(shapes), self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "temperature": self.temperature,
            "max_scale": self.max_scale,
        }
