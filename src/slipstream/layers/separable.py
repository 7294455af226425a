"""Separable convolutions: each channel filtered by itself, then the channels mixed."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels import convolution as kernels
from slipstream.layers import weight_arguments
from slipstream.layers.convolution import BaseConv


class SeparableConv(BaseConv):
    """`depthwise`, then a convolution of window 1; each class below sets the rank."""

    per_example = True
    _widens_and_skips = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
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
        self._positive(filters=filters, depth_multiplier=depth_multiplier)
        self.filters, self.depth_multiplier = filters, depth_multiplier
        weight_arguments.keep(
            self, "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        weight_arguments.keep(
            self, "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint
        )

    def build(self, input_shape: Any) -> None:
        """Create both kernels and `bias` for inputs of this shape."""
        channels = self.channels_of(input_shape)
        self.depthwise_kernel = weight_arguments.create(
            self,
            "depthwise",
            (*self.kernel_size, channels, self.depth_multiplier),
            "depthwise_kernel",
        )
        self.pointwise_kernel = weight_arguments.create(
            self,
            "pointwise",
            (*(1,) * self.rank, channels * self.depth_multiplier, self.filters),
            "pointwise_kernel",
        )
        self._build_bias(self.filters, channels)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        self.compute_output_shape(inputs.shape)  # complains about inputs that are too small
        kernel = self.depthwise_kernel.value
        outputs = kernels.depthwise(
            inputs.astype(kernel.dtype),
            kernel,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.channels_last,
        )
        return self._activated(
            kernels.convolve(
                outputs,
                self.pointwise_kernel.value,
                (1,) * self.rank,
                channels_last=self.channels_last,
                **self._ending(),
            )
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *windows, filters)``."""
        return self._output_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "depth_multiplier": self.depth_multiplier,
            **weight_arguments.describe(self, "depthwise", "pointwise"),
        }


@register("layer", "SeparableConvolution1D")
class SeparableConv1D(SeparableConv):
    """A depthwise convolution, then one of window 1 that mixes the channels (Chollet, 2017).

    Args:
        filters: channels of the output.
        kernel_size, strides, padding, data_format, dilation_rate, depth_multiplier: of the
            depthwise part, as in `DepthwiseConv1D`.
        activation, use_bias: applied once, at the end.
        depthwise_initializer: initial values of `depthwise_kernel`,
            ``(kernel_size, channels, depth_multiplier)``.
        pointwise_initializer: initial values of `pointwise_kernel`,
            ``(1, channels * depth_multiplier, filters)``.
        bias_initializer: initial values of `bias`, ``(filters,)``.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer, activity_regularizer:
            penalties.
        depthwise_constraint, pointwise_constraint, bias_constraint: projections after updates.

    Raises:
        ValueError: if an argument is out of range or the input is too small.
    """

    rank = 1


@register("layer", "SeparableConvolution2D")
class SeparableConv2D(SeparableConv):
    """`SeparableConv1D` on images; sizes one number for both axes or a pair."""

    rank = 2


SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
