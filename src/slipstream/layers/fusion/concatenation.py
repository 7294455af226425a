"""`ConcatFusion`: the inputs side by side, projected."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream import activations
from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, filled


@register("layer")
class ConcatFusion(Fusion):
    """``activation(concatenation @ kernel + bias)``, scaled for what is missing.

    Where `n` of `m` inputs are there, their part of the sum is multiplied by ``m / n``, so that it
    stays as large as with all of them (as convolutions over missing pixels do; Liu et al., 2018).

    Args:
        units: size of the output's last axis.
        activation: name or function; none if not given.

    Inputs ``(batch, …, features)`` that differ in `features` only, output ``(batch, …, units)``.
    See `Fusion` for missing inputs; with none at all the output is that of the bias.

    Raises:
        ValueError: if `units` is not a whole number of at least 1, or the shapes do not fit.
    """

    def __init__(self, units: int, activation: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = self._count("units", units)
        self.activation = activations.get(activation)

    def build(self, input_shape: Any) -> None:
        """Create the projection."""
        features = sum(shape[-1] for shape in self._shapes(input_shape))
        shape = (*self._aligned(input_shape), features)
        self._projection = self._dense("projection", self.units, shape, use_bias=False)
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        outputs = self._projection(jnp.concatenate(arrays, -1))
        if any(there is not None for there in present):
            count = sum(there.astype(outputs.dtype) for there in filled(present, arrays))
            outputs = outputs * (len(arrays) / jnp.maximum(count, 1))
        return self.activation(outputs + self.bias.value)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, units)``."""
        return (*self._aligned(input_shape), self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        activation = registry.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}
