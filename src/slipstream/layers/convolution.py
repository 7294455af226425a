"""Convolutions, and what all kinds of them share."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream import activations
from slipstream.core import registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.kernels import convolution as kernels
from slipstream.layers import weight_arguments
from slipstream.layers.lora import Adaptable
from slipstream.layers.spatial import Spatial, is_count


class BaseConv(Spatial):
    """Arguments, bias and activation of every kind of convolution."""

    per_example = True
    bias: Variable | None = None  # here, so that it does not come before the kernel
    _paddings: tuple[str, ...] = ("valid", "same")
    # Whether strides and dilation may both exceed 1.
    _widens_and_skips = False

    def __init__(
        self,
        kernel_size: Any,
        strides: Any,
        padding: str,
        data_format: str | None,
        dilation_rate: Any,
        activation: Any,
        use_bias: bool,
        bias_initializer: Any,
        bias_regularizer: Any,
        bias_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.kernel_size = self.per_axis("kernel_size", kernel_size)
        self.strides = self.per_axis("strides", strides)
        self.padding = self.choice("padding", padding, self._paddings)
        self.dilation_rate = self.per_axis("dilation_rate", dilation_rate)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        weight_arguments.keep(self, "bias", bias_initializer, bias_regularizer, bias_constraint)
        if not self._widens_and_skips and max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: strides and dilation_rate cannot both "
                f"exceed 1; got {self.strides} and {self.dilation_rate}. Leave one of them at 1."
            )

    def _positive(self, **numbers: Any) -> None:
        for name, value in numbers.items():
            if not is_count(value):
                raise ValueError(
                    f"{type(self).__name__} layer {self.name!r}: {name} must be a whole number of "
                    f"at least 1; got {value!r}."
                )

    def _build_bias(self, filters: int, channels: int) -> None:
        """Create the bias, the last weight, and fix the number of channels."""
        if self.use_bias:
            self.bias = weight_arguments.create(self, "bias", (filters,))
        self.input_spec = InputSpec(ndim=self.rank + 2, axes={self.channel_axis: channels})

    def _ending(self) -> dict[str, Any]:
        """What the convolution does to its sums before it stores them."""
        bias = None if self.bias is None else self.bias.value
        return {"bias": bias, "relu": self._rectifies}

    @property
    def _rectifies(self) -> bool:
        return self.activation is activations.relu

    def _activated(self, outputs: Any) -> Any:
        """The activation of what the convolution gives."""
        return outputs if self._rectifies else self.activation(outputs)

    def _output_shape(self, input_shape: Any, filters: int) -> Any:
        sizes = self.window_sizes(
            input_shape, self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        return self.with_sizes(input_shape, sizes, filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "activity_regularizer": registry.serialize(self.activity_regularizer),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": registry.serialize(self.activation),
            "use_bias": self.use_bias,
            **weight_arguments.describe(self, "bias"),
        }


class ScalableConv(BaseConv):
    """A convolution that can do to its sums what a normalization behind it would (folding.py)."""

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        self.compute_output_shape(inputs.shape)  # complains about inputs that are too small
        return self._activated(self._convolved(inputs, **self._ending()))

    def scaled(self, inputs: Any, scale: Any, bias: Any, top: float) -> Any:
        """The sums alone, times `scale`, plus `bias`, from 0 to `top` unless that is negative."""
        self.compute_output_shape(inputs.shape)
        return self._convolved(inputs, scale=scale, bias=bias, top=top)

    def _convolved(self, inputs: Any, **ending: Any) -> Any:
        """The sums, with what `convolve` does to them before it stores them."""
        raise NotImplementedError


class Conv(ScalableConv, Adaptable):
    """`convolve`, a bias and an activation; each class below sets the rank."""

    per_example = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        groups: int = 1,
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
        self._positive(filters=filters, groups=groups)
        if filters % groups:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: groups must divide filters; got "
                f"filters={filters} and groups={groups}."
            )
        self.filters, self.groups = filters, groups
        weight_arguments.keep(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )
        self._keep_lora(lora_rank, lora_alpha)

    @property
    def kernel(self) -> Any:
        """The kernel, with what LoRA adds to it."""
        return self._adapted()

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        channels = self.channels_of(input_shape)
        if channels % self.groups:
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: groups must divide the number of "
                f"channels; got {channels} channels (shape {tuple(input_shape)}) and "
                f"groups={self.groups}."
            )
        self._kernel = weight_arguments.create(
            self, "kernel", (*self.kernel_size, channels // self.groups, self.filters)
        )
        self._build_bias(self.filters, channels)
        self._build_lora()

    def _convolved(self, inputs: Any, **ending: Any) -> Any:
        kernel = jnp.asarray(self.kernel)
        return kernels.convolve(
            inputs.astype(kernel.dtype),
            kernel,
            self.strides,
            self.padding,
            self.dilation_rate,
            self.groups,
            self.channels_last,
            **ending,
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *windows, filters)``."""
        return self._output_shape(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "groups": self.groups,
            **weight_arguments.describe(self, "kernel"),
            **self._lora_config(),
        }


@register("layer", "Convolution1D")
class Conv1D(Conv):
    """Filters slid along one axis: ``(batch, steps, channels)`` to ``(batch, windows, filters)``.

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: positions under a filter.
        strides: positions from one window to the next.
        padding: ``"valid"`` (none), ``"same"`` (``ceil(steps / strides)`` windows) or
            ``"causal"`` (the same number, and no window reaches past its own step).
        data_format: ``"channels_first"`` has input and output as ``(batch, channels, steps)``.
        dilation_rate: distance between the positions under a filter.
        groups: cuts channels and filters into parts; part i of the filters sees part i only.
        activation: name or function; none if not given.
        use_bias: whether each filter adds a number of its own.
        kernel_initializer: initial values of `kernel`, ``(kernel_size, channels / groups,
            filters)``.
        bias_initializer: initial values of `bias`, ``(filters,)``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: projections after each update.
        lora_rank, lora_alpha: freeze the kernel and train a product of this rank beside it; see
            `enable_lora`.

    Raises:
        ValueError: if an argument is out of range, `strides` and `dilation_rate` both exceed 1,
            `groups` does not divide filters and channels, or the input is too small.
    """

    rank = 1
    _paddings = ("valid", "same", "causal")


@register("layer", "Convolution2D")
class Conv2D(Conv):
    """Filters slid over images: ``(batch, height, width, channels)`` to ``(…, filters)``.

    Arguments are those of `Conv1D`, sizes one number for both axes or a pair; there is no causal
    padding. `kernel` is ``(height, width, channels / groups, filters)``.
    """

    rank = 2


@register("layer", "Convolution3D")
class Conv3D(Conv):
    """Filters slid through volumes, ``(batch, depth, height, width, channels)``.

    Arguments are those of `Conv1D`, sizes one number or three; there is no causal padding.
    """

    rank = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
