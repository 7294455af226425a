"""Scale and offset after a normalization."""

from __future__ import annotations

from typing import Any

from slipstream.core.layer import Layer
from slipstream.core.variable import Variable
from slipstream.kernels.normalization import widen
from slipstream.layers import weight_arguments


def computable(layer: Layer, x: Any) -> Any:
    """`x` as it is where its type is the layer's, else in float32 or wider."""
    return x if x.dtype == layer.compute_dtype else widen(x)


class GammaBeta(Layer):
    """Arguments, weights and use of `gamma` and `beta`, which follow a normalization."""

    supports_masking = True
    gamma: Variable | None = None
    beta: Variable | None = None

    def __init__(
        self,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon, self.center, self.scale = epsilon, center, scale
        weight_arguments.keep(self, "beta", beta_initializer, beta_regularizer, beta_constraint)
        weight_arguments.keep(self, "gamma", gamma_initializer, gamma_regularizer, gamma_constraint)

    def _build_weights(self, shape: tuple[int, ...], center: bool = True) -> None:
        # They are applied in float32, so they are read as they are stored.
        if self.scale:
            self.gamma = weight_arguments.create(self, "gamma", shape, autocast=False)
        if self.center and center:
            self.beta = weight_arguments.create(self, "beta", shape, autocast=False)

    def _constants(self) -> tuple[Any, Any]:
        """`gamma` and `beta` as arrays, None for one that is not there."""
        gamma, beta = self.gamma, self.beta
        return None if gamma is None else gamma.value, None if beta is None else beta.value

    def _finish(self, x: Any, shape: Any) -> Any:
        """``x * gamma + beta``, both in this shape, in the compute type."""
        if self.gamma is not None:
            x = x * self.gamma.value.reshape(shape)
        if self.beta is not None:
            x = x + self.beta.value.reshape(shape)
        return x.astype(self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_arguments.describe(self, "beta", "gamma"),
        }
