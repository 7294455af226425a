"""Spectral normalization of another layer's kernel."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from slipstream.core.layer import Layer
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.kernels.normalization import widen
from slipstream.layers.spatial import is_count
from slipstream.layers.wrapper import Wrapper


@register("layer")
class SpectralNormalization(Wrapper):
    """Divides the kernel of a layer by its largest singular value (Miyato et al., 2018).

    While training, each call runs the power method on the kernel, seen as a matrix of its last
    axis by all others, and replaces the kernel by the divided one.

    Args:
        layer: a layer with a `kernel`, or with `embeddings`.
        power_iterations: steps of the power method in each call.

    Raises:
        ValueError: if `power_iterations` is not a whole number of at least 1, or the layer has
            neither weight.
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        if not is_count(power_iterations):
            raise ValueError(
                f"SpectralNormalization layer {self.name!r}: power_iterations must be a whole "
                f"number of at least 1; got {power_iterations!r}."
            )
        self.power_iterations = power_iterations
        # A kernel that others see changes only while training, and by nothing but itself.
        self.per_example = layer.per_example

    def build(self, input_shape: Any = None) -> None:
        """Build the layer inside, and the vector that approaches the first singular one."""
        super().build(input_shape)
        weights = (getattr(self.layer, name, None) for name in ("kernel", "embeddings"))
        found = [weight for weight in weights if isinstance(weight, Variable)]
        if not found:
            raise ValueError(
                f"SpectralNormalization layer {self.path!r}: the layer inside "
                f"({type(self.layer).__name__}) has neither a kernel nor embeddings to normalize."
            )
        self.kernel = found[0]
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]),
            {"class_name": "TruncatedNormal", "config": {"stddev": 0.02}},
            trainable=False,
            autocast=False,
            name="vector_u",
        )
        self.input_spec = self.layer.input_spec

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Call the layer, with its kernel normalized first while training."""
        if training:
            kernel = self.kernel.value
            matrix = widen(kernel).reshape(-1, kernel.shape[-1])
            u = widen(self.vector_u.value)
            for _ in range(self.power_iterations):
                v = _unit(u @ matrix.T)
                u = _unit(v @ matrix)
            u, v = lax.stop_gradient(u), lax.stop_gradient(v)
            largest = (v @ matrix @ u.T)[0, 0]
            largest = jnp.where(largest == 0, 1, largest)
            self.vector_u.assign(u.astype(self.vector_u.dtype))
            self.kernel.assign((widen(kernel) / largest).astype(self.kernel.dtype))
        return self.layer(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape that the layer inside gives."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "power_iterations": self.power_iterations}


def _unit(vector: Any) -> Any:
    return vector * lax.rsqrt(jnp.maximum(jnp.sum(vector * vector), 1e-14))
