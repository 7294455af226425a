"""`Dense`: every output is an affine function of every input, then an activation."""

from __future__ import annotations

from typing import Any

from slipstream import activations, constraints, initializers, regularizers
from slipstream.core import registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.registry import register


@register("layer")
class Dense(Layer):
    """``activation(x @ kernel + bias)`` on the last axis.

    Args:
        units: size of the output's last axis, at least 1.
        activation: name or function; none if not given.
        use_bias: whether to add a bias.
        kernel_initializer: initial values of `kernel`, ``(features, units)``.
        bias_initializer: initial values of `bias`, ``(units,)``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: projections after each update.

    Input ``(batch, …, features)``, output ``(batch, …, units)``.

    Raises:
        ValueError: if `units` is not a whole number of at least 1.
    """

    per_example = True
    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, int) or isinstance(units, bool) or units < 1:
            raise ValueError(
                f"Dense layer {self.name!r}: units must be a whole number of at least 1; "
                f"got {units!r}."
            )
        self.units = units
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                f"Dense layer {self.path!r} needs to know the size of its input's last axis; got "
                f"shape {tuple(input_shape)}. Give it, as in Input(shape=(features,))."
            )
        self.kernel = self.add_weight(
            (features, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        outputs = inputs @ self.kernel.value
        if self.bias is not None:
            outputs = outputs + self.bias.value
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {
            "units": self.units,
            "activation": self.activation,
            "use_bias": self.use_bias,
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "quantization_config": None,
        }
        return {**super().get_config(), **registry.serialize_dict(own)}
