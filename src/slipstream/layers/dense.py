"""`Dense`: every output is an affine function of every input, then an activation."""

from __future__ import annotations

from typing import Any

from slipstream.core.input_spec import InputSpec
from slipstream.core.registry import register
from slipstream.kernels.dense import product, scaled_product
from slipstream.layers.affine import Affine
from slipstream.layers.spatial import is_count


@register("layer")
class Dense(Affine):
    """``activation(x @ kernel + bias)`` on the last axis.

    Args:
        units: size of the output's last axis, at least 1.
        activation: name or function; none if not given.
        use_bias: whether to add a bias.
        kernel_initializer: initial values of `kernel`, ``(features, units)``.
        bias_initializer: initial values of `bias`, ``(units,)``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: projections after each update.
        lora_rank, lora_alpha: freeze the kernel and train a product of this rank beside it; see
            `enable_lora`.

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
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            activation=activation,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            **kwargs,
        )
        if not is_count(units):
            raise ValueError(
                f"Dense layer {self.name!r}: units must be a whole number of at least 1; "
                f"got {units!r}."
            )
        self.units = units
        self.use_bias = use_bias
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                f"Dense layer {self.path!r} needs to know the size of its input's last axis; got "
                f"shape {tuple(input_shape)}. Give it, as in Input(shape=(features,))."
            )
        self._create((features, self.units), (self.units,) if self.use_bias else None)
        self.input_spec = InputSpec(min_ndim=2, axes={-1: features})

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        kernel = self._kernel.value
        if self.lora_enabled:
            a, b, scale = self._lora()
            return self._finish(product(inputs, kernel) + scale * (inputs @ a @ b))
        bias = None if self.bias is None else self.bias.value
        return self._product(inputs, kernel, bias, (*inputs.shape[:-1], self.units))

    def scaled(self, inputs: Any, scale: Any, bias: Any, top: float) -> Any:
        """The sums alone, times `scale`, plus `bias`, from 0 to `top` unless that is negative."""
        return scaled_product(inputs, self._kernel.value, scale, bias, top)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, …, units)``."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {**super().get_config(), "units": self.units, "use_bias": self.use_bias}
