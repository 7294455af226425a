"""`GRU`: a recurrent layer with two gates and no memory beside its output."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels import recurrent
from slipstream.layers.recurrent_cell import DROPOUT_ARGUMENTS, WEIGHT_ARGUMENTS, UnitsCell
from slipstream.layers.rnn import RecurrentLayer


@register("layer")
class GRUCell(UnitsCell):
    """One step of a `GRU`; its arguments mean the same."""

    arguments = (
        "units",
        "activation",
        "recurrent_activation",
        "use_bias",
        *WEIGHT_ARGUMENTS,
        *DROPOUT_ARGUMENTS,
        "reset_after",
    )
    gates = 3
    reset_after: bool

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def _bias_shape(self) -> tuple[int, ...]:
        wide = 3 * self.units
        return (2, wide) if self.reset_after else (wide,)

    def sequence(self, inputs: Any, states: Any, scale: Any, **how: Any) -> tuple[Any, Any]:
        """See `RecurrentCell.sequence`."""
        values = self._values()
        bias, recurrent_bias = values.pop("bias"), None
        if bias is not None and self.reset_after:
            bias, recurrent_bias = bias
        return recurrent.gru(
            inputs,
            states,
            **values,
            bias=bias,
            recurrent_bias=recurrent_bias,
            activation=self.activation,
            recurrent_activation=self.recurrent_activation,
            reset_after=self.reset_after,
            scale=scale,
            **how,
        )


@register("layer")
class GRU(RecurrentLayer):
    """A gated recurrent unit (Cho et al., 2014).

    Input ``(batch, time, features)``; for the output, masks and the flags see `RNN`.

    Args:
        units: size of the output, at least 1.
        activation: of the candidate; name or function.
        recurrent_activation: of the gates; name or function.
        use_bias: whether to add biases.
        kernel_initializer: initial values of `kernel`, ``(features, 3 * units)``.
        recurrent_initializer: initial values of `recurrent_kernel`, ``(units, 3 * units)``.
        bias_initializer: initial values of `bias`, ``(2, 3 * units)`` for input and state, or
            ``(3 * units,)`` without `reset_after`.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: share of the inputs to drop while training, the same at all steps.
        recurrent_dropout: share of the state to drop, likewise.
        seed: makes the draws independent of the layer's place in the model.
        reset_after: let the reset gate work on the product with the state, as cuDNN does, rather
            than on the state.
        use_cudnn: kept for Keras' signature.

    Raises:
        ValueError: if `units` is not a whole number of at least 1.
    """

    cell_class = GRUCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
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
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())
        self.use_cudnn = use_cudnn
