"""`ConvLSTM1D`, `ConvLSTM2D`, `ConvLSTM3D`: LSTMs on images, with convolutions for products."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from slipstream.core import config
from slipstream.core.registry import register
from slipstream.kernels.convolution import convolve
from slipstream.kernels.recurrent import lstm_update
from slipstream.kernels.sweep import sweep
from slipstream.layers.recurrent_cell import (
    DROPOUT_ARGUMENTS,
    WEIGHT_ARGUMENTS,
    RecurrentCell,
)
from slipstream.layers.rnn import RecurrentLayer
from slipstream.layers.spatial import Spatial


class ConvLSTMCell(RecurrentCell, Spatial):
    """One step of a convolutional LSTM; its arguments mean the same.

    Args:
        rank: number of spatial axes.
    """

    per_example = True
    arguments = (
        "filters",
        "kernel_size",
        "strides",
        "padding",
        "data_format",
        "dilation_rate",
        "activation",
        "recurrent_activation",
        "use_bias",
        "unit_forget_bias",
        *WEIGHT_ARGUMENTS,
        *DROPOUT_ARGUMENTS,
    )
    width = "filters"
    state_size = (-1, -1)  # known once the size of the images is

    filters: int

    def __init__(
        self,
        rank: int,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.rank = rank
        data_format = data_format or config.image_data_format()
        kwargs["data_format"] = data_format
        super().__init__(locals())
        self.kernel_size = self.per_axis("kernel_size", kernel_size)
        self.strides = self.per_axis("strides", strides)
        self.padding = self.choice("padding", padding, ("valid", "same"))
        self.dilation_rate = self.per_axis("dilation_rate", dilation_rate)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: strides and dilation_rate cannot both "
                f"exceed 1; got {self.strides} and {self.dilation_rate}. Leave one of them at 1."
            )

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs ``(batch, *spatial, channels)``."""
        channels, wide = self.channels_of(input_shape), 4 * self.filters
        self._add_weights(
            (*self.kernel_size, channels, wide), (*self.kernel_size, self.filters, wide), (wide,)
        )
        self._output = self.output_shape(input_shape)

    def output_shape(self, input_shape: Any) -> Any:
        """Shape of the output, and of each state, for one step's input shape."""
        sizes = self.window_sizes(
            input_shape, self.kernel_size, self.strides, self.padding, self.dilation_rate
        )
        return self.with_sizes(input_shape, sizes, self.filters)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros of the output's shape for each state, as known from `build`."""
        zeros = jnp.zeros((batch_size, *self._output[1:]), self.compute_dtype)
        return [zeros, zeros]

    def sequence(self, inputs: Any, states: Any, scale: Any, **how: Any) -> tuple[Any, Any]:
        """See `RecurrentCell.sequence`."""
        values, same = self._values(), (1,) * self.rank
        batch, steps = inputs.shape[:2]
        x = jnp.swapaxes(inputs, 0, 1).reshape(batch * steps, *inputs.shape[2:])
        z = convolve(
            x,
            values["kernel"],
            self.strides,
            self.padding,
            self.dilation_rate,
            channels_last=self.channels_last,
        )
        if values["bias"] is not None:
            last = (-1,) if self.channels_last else (-1, *same)
            z = z + values["bias"].reshape(last)

        def step(z: Any, states: Any) -> tuple[Any, Any]:
            h, c = states
            scaled = h if scale is None else h * scale
            z = z + convolve(
                scaled,
                values["recurrent_kernel"],
                same,
                "same",
                channels_last=self.channels_last,
            )
            h, c = lstm_update(z, c, self.activation, self.recurrent_activation, self.channel_axis)
            return h, [h, c]

        z = z.reshape(steps, batch, *z.shape[1:])
        return sweep(step, z, states, before=states[0], **how)


class ConvLSTM(RecurrentLayer):
    """A convolutional LSTM (Shi et al., 2015).

    Input ``(batch, time, *spatial, channels)``, output ``(batch, *spatial, filters)`` of the last
    step, or ``(batch, time, *spatial, filters)`` with `return_sequences`; for masks and the flags
    see `RNN`. The states are ``h`` and ``c``, each of the last output's shape.

    Args:
        filters: channels of the output, at least 1.
        kernel_size: size of the window, one number or one for each spatial axis.
        strides, padding, dilation_rate: of the convolution of the input; the one of the state has
            stride 1 and keeps the size.
        data_format: ``"channels_last"`` or ``"channels_first"``.
        activation: of what is written and read; name or function.
        recurrent_activation: of the gates; name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initial values of `kernel`, ``(*window, channels, 4 * filters)``.
        recurrent_initializer: of `recurrent_kernel`, ``(*window, filters, 4 * filters)``.
        bias_initializer: of `bias`, ``(4 * filters,)``.
        unit_forget_bias: start the forget gate's bias at 1.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: share of the inputs to drop while training, the same at all steps.
        recurrent_dropout: share of the state to drop, likewise.
        seed: makes the draws independent of the layer's place in the model.

    Raises:
        ValueError: if a number is below 1, or the window does not fit into the input.
    """

    cell_class = ConvLSTMCell
    rank = 0

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.ndim = cls.rank + 3

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def _fixed(self) -> dict[str, Any]:
        return {"rank": self.rank}

    def _initial_states(self, sequences: Any) -> list[Any]:
        batch, _, *rest = sequences.shape
        shape = self.cell.output_shape((batch, *rest))
        return [jnp.zeros(shape, self.compute_dtype)] * 2

    def _step_output(self, step_shape: Any) -> Any:
        return self.cell.output_shape(step_shape)

    def _state_shapes(self, output: Any) -> list[Any]:
        return [output, output]


@register("layer")
class ConvLSTM1D(ConvLSTM):
    """A convolutional LSTM on ``(batch, time, steps, channels)``; see `ConvLSTM`."""

    rank = 1


@register("layer")
class ConvLSTM2D(ConvLSTM):
    """A convolutional LSTM on ``(batch, time, rows, columns, channels)``; see `ConvLSTM`."""

    rank = 2


@register("layer")
class ConvLSTM3D(ConvLSTM):
    """A convolutional LSTM on ``(batch, time, depth, rows, columns, channels)``; see `ConvLSTM`."""

    rank = 3
