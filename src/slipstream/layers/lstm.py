"""`LSTM`: a recurrent layer with a memory that gates write, keep and read."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels import recurrent
from slipstream.layers.recurrent_cell import DROPOUT_ARGUMENTS, WEIGHT_ARGUMENTS, UnitsCell
from slipstream.layers.rnn import RecurrentLayer


@register("layer")
class LSTMCell(UnitsCell):
    """One step of an `LSTM`; its arguments mean the same."""

    arguments = (
        "units",
        "activation",
        "recurrent_activation",
        "use_bias",
        "unit_forget_bias",
        *WEIGHT_ARGUMENTS,
        *DROPOUT_ARGUMENTS,
    )
    gates = 4

    def __init__(
        self,
        units: int,
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
        super().__init__(locals())

    @property
    def state_size(self) -> list[int]:
        """Sizes of the output and of the memory."""
        return [self.units, self.units]

    def sequence(self, inputs: Any, states: Any, scale: Any, **how: Any) -> tuple[Any, Any]:
        """See `RecurrentCell.sequence`."""
        return recurrent.lstm(
            inputs,
            states,
            **self._values(),
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            scale=scale,
            **how,
        )


@register("layer")
class LSTM(RecurrentLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    Input ``(batch, time, features)``; for the output, masks and the flags see `RNN`. The states are
    the output ``h`` and the memory ``c``, each ``(batch, units)``.

    Args:
        units: size of the output, at least 1.
        activation: of what is written and read; name or function.
        recurrent_activation: of the gates; name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initial values of `kernel`, ``(features, 4 * units)``.
        recurrent_initializer: initial values of `recurrent_kernel`, ``(units, 4 * units)``.
        bias_initializer: initial values of `bias`, ``(4 * units,)``.
        unit_forget_bias: start the forget gate's bias at 1 (Jozefowicz et al., 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: share of the inputs to drop while training, the same at all steps.
        recurrent_dropout: share of the state to drop, likewise.
        seed: makes the draws independent of the layer's place in the model.
        use_cudnn: kept for Keras' signature.

    Raises:
        ValueError: if `units` is not a whole number of at least 1.
    """

    cell_class = LSTMCell

    def __init__(
        self,
        units: int,
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
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())
        self.use_cudnn = use_cudnn
