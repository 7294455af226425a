"""Depthwise convolutions: each channel is filtered by itself."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels import convolution as kernels
from slipstream.layers import weight_arguments
from slipstream.layers.convolution import ScalableConv


class DepthwiseConv(ScalableConv):
    """`depthwise`, a bias and an activation; each class below sets the rank."""

    per_example = True
    _widens_and_skips = True

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            kernel_size,
            strides,
            padding,
            data_format,
            dilation_rate,
            activation,
            use_bias,
            bias_initializer,
            bias_regularizer,
            bias_constraint,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self._positive(depth_multiplier=depth_multiplier)
        self.depth_multiplier = depth_multiplier
        weight_arguments.keep(
            self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        channels = self.channels_of(input_shape)
        self.kernel = weight_arguments.create(
            self, "depthwise", (*self.kernel_size, channels, self.depth_multiplier), "kernel"
        )
        self._build_bias(channels * self.depth_multiplier, channels)

    def _convolved(self, inputs: Any, **ending: Any) -> Any:
        kernel = self.kernel.value
        return kernels.depthwise(
            inputs.astype(kernel.dtype),
            kernel,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.channels_last,
            **ending,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *windows, channels * depth_multiplier)``."""
        filters = self.channels_of(input_shape) * self.depth_multiplier
        return self._output_shape(input_shape, filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "depth_multiplier": self.depth_multiplier,
            **weight_arguments.describe(self, "depthwise"),
        }


@register("layer")
class DepthwiseConv1D(DepthwiseConv):
    """Each channel of ``(batch, steps, channels)`` convolved with filters of its own.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as in
            `Conv1D`, without causal padding; strides and dilation may both exceed 1.
        depth_multiplier: filters for each channel; the output has
            ``channels * depth_multiplier`` channels, those of one channel side by side.
        depthwise_initializer: initial values of `kernel`,
            ``(kernel_size, channels, depth_multiplier)``.
        bias_initializer: initial values of `bias`, one for each output channel.
        depthwise_regularizer, bias_regularizer, activity_regularizer: penalties.
        depthwise_constraint, bias_constraint: projections after each update.

    Raises:
        ValueError: if an argument is out of range or the input is too small.
    """

    rank = 1


@register("layer")
class DepthwiseConv2D(DepthwiseConv):
    """Each channel of images convolved with filters of its own; arguments of `DepthwiseConv1D`."""

    rank = 2
