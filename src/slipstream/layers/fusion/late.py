"""`LateFusion`: the mean of what each modality says by itself."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, filled


@register("layer")
class LateFusion(Fusion):
    """Mean of the inputs that are there, such as predictions of one model for each modality.

    Args:
        weighted: learn a weight for each input; they start equal, and those of the inputs that are
            there sum to 1.

    Inputs of one shape ``(batch, …, features)``, which is the output's. See `Fusion` for missing
    inputs; with none at all the output is 0.

    Raises:
        ValueError: if the shapes differ.
    """

    def __init__(self, weighted: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weighted = bool(weighted)

    def build(self, input_shape: Any) -> None:
        """Create the weights, if any."""
        self.compute_output_shape(input_shape)
        if self.weighted:
            count = len(self._shapes(input_shape))
            self.logits = self.add_weight((count,), "zeros", name="logits")

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        values = jnp.stack(arrays, -2).astype(self.compute_dtype)
        count = len(arrays)
        shares = jax.nn.softmax(self.logits.value) if self.weighted else jnp.full(count, 1 / count)
        shares = shares[:, None]
        if any(there is not None for there in present):
            shares = jnp.where(jnp.stack(filled(present, arrays), -2), shares, 0)
            total = jnp.sum(shares, -2, keepdims=True)
            shares = shares / jnp.where(total == 0, 1, total)
        return jnp.sum(shares.astype(values.dtype) * values, -2)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The inputs' shape."""
        shapes = self._shapes(input_shape)
        if len({shape[-1] for shape in shapes}) > 1:
            raise ValueError(
                f"LateFusion layer {self.path!r} averages inputs of one shape; got {shapes}. "
                "Bring them to one size with a Dense layer each, or use another fusion layer."
            )
        return (*self._aligned(input_shape), shapes[0][-1])

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "weighted": self.weighted}
