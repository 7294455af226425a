"""Activations as layers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream import activations, constraints, initializers, regularizers
from slipstream.core import registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register


class _Elementwise(Layer):
    """A layer whose output has its input's shape and whose rows do not meet."""

    per_example = True
    supports_masking = True

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape."""
        return input_shape


@register("layer")
class Activation(_Elementwise):
    """Apply an activation, given by name or as a function."""

    per_example = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        """Apply the activation."""
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@register("layer")
class ReLU(_Elementwise):
    """Rectified linear unit: 0 below `threshold` (or `negative_slope` times the distance to it).

    Args:
        max_value: upper bound, none if not given.
        negative_slope: slope below the threshold.
        threshold: where the unit starts to pass its input.

    Raises:
        ValueError: if one of them is negative or None where a number is needed.
    """

    per_example = True

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (("negative_slope", negative_slope), ("threshold", threshold)):
            if value is None or value < 0:
                raise ValueError(
                    f"ReLU layer {self.name!r}: {name} must be at least 0; got {value}."
                )
        if max_value is not None and max_value < 0:
            raise ValueError(
                f"ReLU layer {self.name!r}: max_value must be at least 0; got {max_value}."
            )
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold

    def call(self, inputs: Any) -> Any:
        """Apply the activation."""
        return activations.relu(
            inputs,
            negative_slope=self.negative_slope,
            max_value=self.max_value,
            threshold=self.threshold,
        )

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


@register("layer")
class LeakyReLU(_Elementwise):
    """``x`` above 0, ``negative_slope * x`` below (Maas et al., 2013)."""

    per_example = True

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if negative_slope is None or negative_slope < 0:
            raise ValueError(
                f"LeakyReLU layer {self.name!r}: negative_slope must be at least 0; "
                f"got {negative_slope}."
            )
        self.negative_slope = negative_slope

    def call(self, inputs: Any) -> Any:
        """Apply the activation."""
        return activations.leaky_relu(inputs, negative_slope=self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


@register("layer")
class PReLU(_Elementwise):
    """`LeakyReLU` with a learned slope (He et al., 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: for the slopes `alpha`.
        shared_axes: axes (from 1) along which one slope serves all positions.
    """

    per_example = True

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        if isinstance(shared_axes, int):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else list(shared_axes)

    def build(self, input_shape: Any) -> None:
        """Create `alpha`, of the input's shape without its batch axis."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            shape,
            self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
            name="alpha",
        )
        shared = self.shared_axes or ()
        sizes = {i: n for i, n in enumerate(input_shape) if i and i not in shared}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)

    def call(self, inputs: Any) -> Any:
        """Apply the activation."""
        return activations.relu(inputs) - self.alpha.value * activations.relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "alpha_initializer": self.alpha_initializer,
            "alpha_regularizer": self.alpha_regularizer,
            "alpha_constraint": self.alpha_constraint,
            "shared_axes": self.shared_axes,
        }
        return {**super().get_config(), **registry.serialize_dict(own)}


@register("layer")
class ELU(_Elementwise):
    """``x`` above 0, ``alpha * (exp(x) - 1)`` below (Clevert et al., 2016)."""

    per_example = True

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha

    def call(self, inputs: Any) -> Any:
        """Apply the activation."""
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "alpha": self.alpha}


@register("layer")
class Softmax(_Elementwise):
    """Softmax along `axis`; positions whose mask is False get no share."""

    per_example = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Apply the softmax; `mask` is bool and broadcasts to the inputs."""
        if mask is not None:
            large = 3e4 if inputs.dtype == "float16" else 1e9
            inputs = inputs + (1.0 - mask.astype(inputs.dtype)) * -large
        if isinstance(self.axis, (tuple, list)) and len(self.axis) > 1:
            shares = jax.nn.softmax(inputs, axis=tuple(self.axis))
        else:
            axis = self.axis[0] if isinstance(self.axis, (tuple, list)) else self.axis
            shares = activations.softmax(inputs, axis=axis)
        if mask is None:
            return shares
        return jnp.where(mask.astype(bool), shares, jnp.zeros_like(shares))  # all may be masked

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "axis": self.axis}
