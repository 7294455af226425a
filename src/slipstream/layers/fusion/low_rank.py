"""`LowRankFusion`: products of features of different inputs, at the cost of sums."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream import activations
from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, filled


@register("layer")
class LowRankFusion(Fusion):
    """A multilinear function of the inputs, its weight tensor of low rank (Liu et al., 2018).

    ``activation(mean_r prod_i (x_i @ W_ir + b_ir) + bias)``: for two inputs a bilinear layer. The
    factors' offsets start at 1, so each input alone counts from the beginning. A missing input's
    factor is 1: the others are fused without it.

    Args:
        units: size of the output's last axis.
        rank: number of products that are averaged.
        activation: name or function; none if not given.

    Inputs ``(batch, …, features)`` that differ in `features` only, output ``(batch, …, units)``.
    See `Fusion` for missing inputs.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or the shapes do not fit.
    """

    def __init__(self, units: int, rank: int = 4, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self._count("units", units)
        self.rank = self._count("rank", rank)
        self.activation = activations.get(activation)

    def build(self, input_shape: Any) -> None:
        """Create the factors."""
        self._aligned(input_shape)
        self._factors = [
            self._dense(f"factor_{i}", self.rank * self.units, shape, bias_initializer="ones")
            for i, shape in enumerate(self._shapes(input_shape))
        ]
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        product: Any = 1.0
        for layer, array, there, known in zip(
            self._factors, arrays, filled(present, arrays), present
        ):
            factor = layer(array)
            product = product * (factor if known is None else jnp.where(there, factor, 1))
        product = product.reshape(*product.shape[:-1], self.rank, self.units)
        return self.activation(jnp.mean(product, -2) + self.bias.value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, units)``."""
        return (*self._aligned(input_shape), self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "rank": self.rank,
            "activation": registry.serialize(self.activation),
        }
