"""A recurrent cell of a user's own, in the words that Slipstream and Keras share."""

from __future__ import annotations

from typing import Any


class MinimalGate:
    """The minimal gated unit (Zhou et al., 2016), to be mixed into a library's `Layer`.

    With the forget gate ``f = sigmoid(x @ W_f + h @ U_f + b_f)`` the new state is
    ``(1 - f) * h + f * tanh(x @ W_h + (f * h) @ U_h + b_h)``. The weights of both stand side by
    side: ``(features, 2 * units)``.

    Attributes:
        ops: the library's operations.
    """

    ops: Any
    add_weight: Any

    def __init__(self, units: int) -> None:
        super().__init__()
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: Any) -> None:
        wide = 2 * self.units
        self.kernel = self.add_weight((input_shape[-1], wide), "zeros", name="kernel")
        self.recurrent = self.add_weight((self.units, wide), "zeros", name="recurrent_kernel")
        self.bias = self.add_weight((wide,), "zeros", name="bias")
        self.built = True

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        ops, (state,) = self.ops, states
        gate, new = ops.split(ops.matmul(inputs, self.kernel) + self.bias, 2, axis=-1)
        of_gate, of_new = ops.split(ops.convert_to_tensor(self.recurrent), 2, axis=-1)
        gate = ops.sigmoid(gate + ops.matmul(state, of_gate))
        new = ops.tanh(new + ops.matmul(gate * state, of_new))
        state = state + gate * (new - state)
        return state, [state]
