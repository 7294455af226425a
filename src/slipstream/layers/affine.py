"""What layers of a kernel, a bias and an activation share."""

from __future__ import annotations

from typing import Any

from slipstream import activations
from slipstream.core import registry
from slipstream.core.variable import Variable
from slipstream.kernels.dense import product
from slipstream.layers import weight_arguments
from slipstream.layers.lora import Adaptable


class Affine(Adaptable):
    """A kernel, an optional bias, an activation, and LoRA for the kernel."""

    bias: Variable | None = None

    def __init__(
        self,
        activation: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        weight_arguments.keep(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        weight_arguments.keep(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        self._keep_lora(lora_rank, lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with what LoRA adds to it."""
        return self._adapted()

    def _create(self, kernel_shape: tuple, bias_shape: tuple | None) -> None:
        """Create the weights; `build` calls this."""
        self._kernel = weight_arguments.create(self, "kernel", kernel_shape)
        if bias_shape is not None:
            self.bias = weight_arguments.create(self, "bias", bias_shape)
        self._build_lora()

    def _finish(self, outputs: Any) -> Any:
        """Add the bias and apply the activation."""
        if self.bias is not None:
            outputs = outputs + self.bias.value
        return self.activation(outputs)

    def _product(self, inputs: Any, matrix: Any, bias: Any, shape: tuple[int, ...]) -> Any:
        """Inputs times a matrix, the bias added, brought to a shape, and the activation of that."""
        relu = self.activation is activations.relu
        outputs = product(inputs, matrix, bias, relu).reshape(shape)
        return outputs if relu else self.activation(outputs)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "activation": registry.serialize(self.activation),
            **weight_arguments.describe(self, "kernel", "bias"),
            "quantization_config": None,
            **self._lora_config(),
        }
