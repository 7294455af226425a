"""What the cells of SimpleRNN, LSTM, GRU and ConvLSTM have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream import activations, constraints, initializers, regularizers
from slipstream.core import registry
from slipstream.core.layer import Layer
from slipstream.core.random import layer_key, over_steps

_RESOLVE: dict[str, Callable[[Any], Any]] = {
    "activation": activations.get,
    "initializer": initializers.get,
    "regularizer": regularizers.get,
    "constraint": constraints.get,
}
_WEIGHTS = ("kernel", "recurrent", "bias")
WEIGHT_ARGUMENTS = (
    *(f"{weight}_initializer" for weight in _WEIGHTS),
    *(f"{weight}_regularizer" for weight in _WEIGHTS),
    *(f"{weight}_constraint" for weight in _WEIGHTS),
)
DROPOUT_ARGUMENTS = ("dropout", "recurrent_dropout", "seed")


class RecurrentCell(Layer):
    """A cell with a kernel, a recurrent kernel and a bias.

    A subclass names its arguments in `arguments`, hands the ``locals()`` of its `__init__` on, and
    defines `sequence`. While training, a share `dropout` of the inputs and
    `recurrent_dropout` of the state is set to 0, the same elements at all steps of a sequence
    (Gal and Ghahramani, 2016).

    Args:
        given: value of each of `arguments`, and of ``"kwargs"``.

    Raises:
        ValueError: if `units` or `filters` is not a whole number of at least 1.
    """

    per_example = True
    arguments: tuple[str, ...] = ()
    width = "units"
    by_sequences = True

    dropout: float
    recurrent_dropout: float
    seed: int | None
    use_bias: bool
    activation: Callable[[Any], Any]
    recurrent_activation: Callable[[Any], Any]
    kernel: Any
    recurrent_kernel: Any
    bias: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # A user's own `call` is what counts, also over whole sequences.
        if "call" in vars(cls) and "sequence" not in vars(cls):
            cls.by_sequences = False

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(**given["kwargs"])
        for name in self.arguments:
            kind = name.rpartition("_")[2]
            value = given[name]
            setattr(self, name, _RESOLVE[kind](value) if kind in _RESOLVE else value)
        width = given[self.width]
        if not isinstance(width, int) or isinstance(width, bool) or width < 1:
            raise ValueError(
                f"{type(self).__name__} {self.name!r}: {self.width} must be a whole number of at "
                f"least 1; got {width!r}."
            )
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))

    def sequence(self, inputs: Any, states: Any, scale: Any, **how: Any) -> tuple[Any, Any]:
        """All steps of ``(batch, time, …)``: the outputs and the last states.

        Args:
            scale: multiplied to the state ``h`` wherever it meets `recurrent_kernel`, or None.
            how: see `kernels.sweep.sweep`.
        """
        raise NotImplementedError

    def call(self, inputs: Any, states: Any, training: bool = False) -> tuple[Any, Any]:
        """One step: the output and the new states."""
        nested = isinstance(states, (list, tuple))
        states = list(states) if nested else [states]
        output, new = self.run(inputs[:, None], states, training)
        return output, new if nested else new[0]

    def run(self, inputs: Any, states: Any, training: bool, **how: Any) -> tuple[Any, Any]:
        """`sequence` with dropout."""
        scale = None
        if training:
            drop = self._keep(self.dropout, inputs[:, 0])
            scale = self._keep(self.recurrent_dropout, states[0])
            if drop is not None:
                inputs = inputs * drop[:, None]
        return self.sequence(inputs, states, scale, **how)

    def _keep(self, rate: float, like: Any) -> Any:
        if rate == 0:
            return None
        if rate == 1:
            return jnp.zeros_like(like)
        with over_steps():
            key = layer_key(self, self.seed)
        keep = jax.random.bernoulli(key, 1 - rate, like.shape)
        return jnp.where(keep, 1 / (1 - rate), 0.0).astype(like.dtype)

    def _add_weights(self, kernel: Any, recurrent_kernel: Any, bias: Any) -> None:
        """Create the three variables with these shapes; for LSTMs the bias of the forget gate
        starts at 1 where `unit_forget_bias` says so."""
        for name, short, shape in (
            ("kernel", "kernel", kernel),
            ("recurrent_kernel", "recurrent", recurrent_kernel),
            ("bias", "bias", bias),
        ):
            made = None
            if name != "bias" or self.use_bias:
                made = self.add_weight(
                    shape,
                    self._bias_initializer if name == "bias" else self._of(short, "initializer"),
                    regularizer=self._of(short, "regularizer"),
                    constraint=self._of(short, "constraint"),
                    name=name,
                )
            setattr(self, name, made)

    def _of(self, weight: str, kind: str) -> Any:
        return getattr(self, f"{weight}_{kind}")

    def _bias_initializer(self, shape: Any, dtype: Any = None) -> Any:
        values = self._of("bias", "initializer")(shape, dtype=dtype)
        if getattr(self, "unit_forget_bias", False):
            width = shape[0] // 4
            values = jnp.asarray(values).at[width : 2 * width].set(1)
        return values

    def _values(self) -> dict[str, Any]:
        """The weights as arrays of the compute type."""
        return {
            "kernel": self.kernel.value,
            "recurrent_kernel": self.recurrent_kernel.value,
            "bias": None if self.bias is None else self.bias.value,
        }

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        own = {name: getattr(self, name) for name in self.arguments}
        return {**super().get_config(), **registry.serialize_dict(own)}


class UnitsCell(RecurrentCell):
    """A cell on vectors: `units` outputs, `gates` of them times as many columns in the kernels."""

    gates = 1
    units: int

    @property
    def output_size(self) -> int:
        """Size of the output's last axis."""
        return self.units

    @property
    def state_size(self) -> Any:
        """Size of the state, or a list of sizes."""
        return self.units

    def build(self, input_shape: Any) -> None:
        """Create the weights for inputs ``(batch, features)``."""
        features = input_shape[-1]
        if features is None:
            raise ValueError(
                f"{type(self).__name__} {self.path!r} needs to know the size of its input's last "
                f"axis; got shape {tuple(input_shape)}. Give it, as in Input((time, features))."
            )
        wide = self.gates * self.units
        self._add_weights((features, wide), (self.units, wide), self._bias_shape())

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def get_initial_state(self, batch_size: int | None = None) -> list[Any]:
        """Zeros ``(batch_size, units)`` for each state."""
        sizes = jax.tree.leaves(self.state_size)
        return [jnp.zeros((batch_size, size), self.compute_dtype) for size in sizes]
