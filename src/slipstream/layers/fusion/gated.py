"""`GatedFusion`: each feature says how much of each input it takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream import activations
from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.layers.fusion.base import Fusion, filled


@register("layer")
class GatedFusion(Fusion):
    """A weighted mean of the projected inputs; the weights depend on all of them.

    The gated multimodal unit (Arevalo et al., 2017): ``sum_i z_i * tanh(x_i @ W_i + b_i)``, where
    the gates `z` are a softmax over the inputs of a dense layer on all inputs, one for each
    feature. For two inputs that is the paper's unit exactly; for more, its gates sum to 1 here. A
    missing input's gate is 0 and the others sum to 1 without it.

    Args:
        units: size of the output's last axis.
        activation: of the projected inputs.
        return_gates: whether to return the gates ``(batch, …, modalities, units)`` too.

    Inputs ``(batch, …, features)`` that differ in `features` only, output ``(batch, …, units)``.
    See `Fusion` for missing inputs; with none at all the output is 0.

    Raises:
        ValueError: if `units` is not a whole number of at least 1, or the shapes do not fit.
    """

    def __init__(
        self, units: int, activation: Any = "tanh", return_gates: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.units = self._count("units", units)
        self.activation = activations.get(activation)
        self.return_gates = return_gates

    def build(self, input_shape: Any) -> None:
        """Create projections and gates."""
        shapes, leading = self._shapes(input_shape), self._aligned(input_shape)
        self._projections = [
            self._dense(f"projection_{i}", self.units, shape) for i, shape in enumerate(shapes)
        ]
        features = sum(shape[-1] for shape in shapes)
        self._gates = self._dense("gates", len(shapes) * self.units, (*leading, features))

    def _fuse(self, arrays: list[Any], present: list[Any]) -> Any:
        values = jnp.stack(
            [self.activation(layer(x)) for layer, x in zip(self._projections, arrays)], -2
        )
        gates = self._gates(jnp.concatenate(arrays, -1)).reshape(values.shape)
        there = None
        if any(one is not None for one in present):
            there = jnp.stack(filled(present, arrays), -2)
            some = jnp.any(there, -2, keepdims=True)
            gates = jnp.where(there | ~some, gates, -jnp.inf)
        gates = jax.nn.softmax(gates.astype(jnp.float32), -2).astype(values.dtype)
        if there is not None:
            gates = jnp.where(there, gates, 0)
        outputs = jnp.sum(gates * values, -2)
        return (outputs, gates) if self.return_gates else outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, units)``, and the gates' shape if they are returned."""
        leading = self._aligned(input_shape)
        outputs = (*leading, self.units)
        if not self.return_gates:
            return outputs
        return outputs, (*leading, len(self._shapes(input_shape)), self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "units": self.units,
            "activation": registry.serialize(self.activation),
            "return_gates": self.return_gates,
        }
