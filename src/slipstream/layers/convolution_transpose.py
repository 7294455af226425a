"""Transposed convolutions: what a convolution shrinks, they widen."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.core.registry import register
from slipstream.kernels import convolution as kernels
from slipstream.kernels.geometry import transposed_size
from slipstream.layers import weight_arguments
from slipstream.layers.convolution import BaseConv


class ConvTranspose(BaseConv):
    """`convolve_transpose`, a bias and an activation; each class below sets the rank."""

    per_example = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        self._positive(filters=filters)
        self.filters = filters
        self.output_padding = self._checked(output_padding)
        weight_arguments.keep(
            self, "kernel", kernel_initializer, kernel_regularizer, kernel_constraint
        )

    def _checked(self, output_padding: Any) -> tuple[int, ...] | None:
        if output_padding is None:
            return None
        one = isinstance(output_padding, (int, np.integer))
        extra = (output_padding,) * self.rank if one else tuple(output_padding)
        fits = len(extra) == self.rank and all(0 <= e < s for e, s in zip(extra, self.strides))
        if not fits:
            raise ValueError(
                f"{type(self).__name__} layer {self.name!r}: output_padding must be at least 0 and "
                f"less than the stride {self.strides} on each axis; got {output_padding!r}."
            )
        return tuple(int(e) for e in extra)

    def build(self, input_shape: Any) -> None:
        """Create `kernel` and `bias` for inputs of this shape."""
        channels = self.channels_of(input_shape)
        self.kernel = weight_arguments.create(
            self, "kernel", (*self.kernel_size, self.filters, channels)
        )
        self._build_bias(self.filters, channels)

    def call(self, inputs: Any) -> Any:
        """Apply the layer."""
        self.compute_output_shape(inputs.shape)  # complains about outputs that would be empty
        kernel = self.kernel.value
        return self._activated(
            kernels.convolve_transpose(
                inputs.astype(kernel.dtype),
                kernel,
                self.strides,
                self.padding,
                self.dilation_rate,
                self.output_padding,
                self.channels_last,
                **self._ending(),
            )
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """``(batch, *wider, filters)``."""
        extra = self.output_padding or (None,) * self.rank
        sizes = [
            transposed_size(input_shape[axis], k, s, self.padding, d, e)
            for axis, k, s, d, e in zip(
                self.spatial_axes, self.kernel_size, self.strides, self.dilation_rate, extra
            )
        ]
        if any(size is not None and size < 1 for size in sizes):
            raise ValueError(
                f"{type(self).__name__} layer {self.path!r}: the output for input shape "
                f"{tuple(input_shape)} would have size {tuple(sizes)}. Use a larger input, or "
                "leave output_padding out."
            )
        return self.with_sizes(input_shape, sizes, self.filters)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "output_padding": self.output_padding,
            **weight_arguments.describe(self, "kernel"),
        }


@register("layer", "Convolution1DTranspose")
class Conv1DTranspose(ConvTranspose):
    """The transpose of `Conv1D`: ``(batch, steps, channels)`` to ``(batch, longer, filters)``.

    Each input position adds its kernel, scaled, into the output, `strides` apart. With
    ``padding="same"`` the output has ``steps * strides`` positions; with ``"valid"`` it holds all
    that the kernels reach.

    Args:
        filters: number of filters, the channels of the output.
        kernel_size: positions that one input position reaches.
        strides: output positions from one input position to the next.
        padding: ``"valid"`` or ``"same"``.
        output_padding: chooses among the lengths that a convolution would shrink to this input;
            at least 0, less than the stride.
        data_format, dilation_rate, activation, use_bias: as in `Conv1D`.
        kernel_initializer: initial values of `kernel`, ``(kernel_size, filters, channels)``.
        bias_initializer: initial values of `bias`, ``(filters,)``.
        kernel_regularizer, bias_regularizer, activity_regularizer: penalties.
        kernel_constraint, bias_constraint: projections after each update.

    Raises:
        ValueError: if an argument is out of range, `strides` and `dilation_rate` both exceed 1,
            or the output would be empty.
    """

    rank = 1


@register("layer", "Convolution2DTranspose")
class Conv2DTranspose(ConvTranspose):
    """The transpose of `Conv2D`; arguments as in `Conv1DTranspose`, sizes one number or two."""

    rank = 2


@register("layer", "Convolution3DTranspose")
class Conv3DTranspose(ConvTranspose):
    """The transpose of `Conv3D`; arguments as in `Conv1DTranspose`, sizes one number or three.

    As in Keras, `data_format` comes before `output_padding` here.
    """

    rank = 3
    per_example = True

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        output_padding: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, kernel_size, strides, padding, output_padding, data_format, *args, **kwargs
        )


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
Convolution3DTranspose = Conv3DTranspose
