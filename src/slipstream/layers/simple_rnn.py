"""`SimpleRNN`: each step's output goes into the next step, with the input."""

from __future__ import annotations

from typing import Any

from slipstream.core.registry import register
from slipstream.kernels import recurrent
from slipstream.layers.recurrent_cell import DROPOUT_ARGUMENTS, WEIGHT_ARGUMENTS, UnitsCell
from slipstream.layers.rnn import RecurrentLayer


@register("layer")
class SimpleRNNCell(UnitsCell):
    """One step of a `SimpleRNN`; its arguments mean the same."""

    arguments = ("units", "activation", "use_bias", *WEIGHT_ARGUMENTS, *DROPOUT_ARGUMENTS)

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def sequence(self, inputs: Any, states: Any, scale: Any, **how: Any) -> tuple[Any, Any]:
        """See `RecurrentCell.sequence`."""
        return recurrent.simple_rnn(
            inputs, states, **self._values(), activation=self.activation, scale=scale, **how
        )


@register("layer")
class SimpleRNN(RecurrentLayer):
    """A recurrent layer with one gate: ``h = activation(x @ kernel + h @ recurrent_kernel + bias)``
    (Elman, 1990).

    Input ``(batch, time, features)``; for the output, masks and the flags see `RNN`.

    Args:
        units: size of the output, at least 1.
        activation: name or function.
        use_bias: whether to add a bias.
        kernel_initializer: initial values of `kernel`, ``(features, units)``.
        recurrent_initializer: initial values of `recurrent_kernel`, ``(units, units)``.
        bias_initializer: initial values of `bias`, ``(units,)``.
        kernel_regularizer, recurrent_regularizer, bias_regularizer, activity_regularizer:
            penalties.
        kernel_constraint, recurrent_constraint, bias_constraint: projections after each update.
        dropout: share of the inputs to drop while training, the same at all steps.
        recurrent_dropout: share of the state to drop, likewise.
        seed: makes the draws independent of the layer's place in the model.

    Raises:
        ValueError: if `units` is not a whole number of at least 1.
    """

    cell_class = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(locals())

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer; Keras leaves `seed` out, so None is left out here too."""
        config = super().get_config()
        if config["seed"] is None:
            del config["seed"]
        return config
