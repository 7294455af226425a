"""`RNN`: a cell, applied to each step of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.input_spec import InputSpec
from slipstream.core.layer import Layer
from slipstream.core.random import at_step
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.kernels.sweep import sweep
from slipstream.layers.recurrent_cell import RecurrentCell
from slipstream.layers.stacked_rnn_cells import (
    StackedRNNCells,
    check_cell,
    initial_state,
    output_size,
)

_FLAGS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "zero_output_for_mask",
)


@register("layer")
class RNN(Layer):
    """Apply a cell to each step of a sequence.

    Input ``(batch, time, …)``, output ``(batch, features)`` of the last step, or
    ``(batch, time, features)`` with `return_sequences`. A mask is ``(batch, time)``: where it is
    False a step is skipped, so the states stay and the output is that of the step before. Dropout
    of our own cells is drawn once a sequence, the same at all steps; what other cells draw is
    drawn at each step.

    Args:
        cell: a layer with `state_size` (a number, or a list with one for each state), optionally
            `output_size` and ``get_initial_state(batch_size)``, and ``call(inputs, states)`` that
            gives the output and the list of new states; or a list of such cells.
        return_sequences: give the outputs of all steps.
        return_state: give the last states too.
        go_backwards: start at the end; outputs come in the order of the steps.
        stateful: start each batch with the last states of the one before, row by row.
        unroll: repeat the step in the program instead of looping over it.
        zero_output_for_mask: masked steps give 0.

    Raises:
        ValueError: if `cell` is no RNN cell; when called, if there are no steps, or the initial
            states do not fit.
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(cell, (list, tuple)):
            cell = StackedRNNCells(cell)
        check_cell(cell)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.states: Any = None

    @property
    def per_example(self) -> bool:  # type: ignore[override]
        """Whether rows are apart: they are, unless states pass from batch to batch."""
        return not self.stateful

    @property
    def state_size(self) -> list[Any]:
        """Size of each state."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def get_initial_state(self, batch_size: int | None) -> list[Any]:
        """States before the first step."""
        return initial_state(self.cell, batch_size)

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell, and create the states of a stateful layer."""
        batch, _, *rest = sequences_shape
        if not self.cell.built:
            self.cell.build((batch, *rest))
        if self.stateful:
            if batch is None:
                raise ValueError(
                    f"Layer {self.path!r} is stateful, so it must know the batch size; got shape "
                    f"{tuple(sequences_shape)}. Give it, as in Input(batch_shape=(32, …))."
                )
            with jax.ensure_compile_time_eval():
                values = self.get_initial_state(batch)
            self.states = jax.tree.map(self._state_variable, values)

    def _state_variable(self, value: Any) -> Variable:
        state = self.add_weight(
            value.shape, lambda shape, dtype: value, trainable=False, name="rnn_state"
        )
        state.transient = True
        return state

    def __call__(self, sequences: Any, initial_state: Any = None, **kwargs: Any) -> Any:
        """Call the layer; ``[sequences, *states]`` as one argument works too."""
        if isinstance(sequences, (list, tuple)):
            sequences, *initial_state = sequences
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Outputs, and the last states with `return_state`."""
        if sequences.shape[1] == 0:
            raise ValueError(
                f"Layer {self.path!r} got sequences without a step, shape {sequences.shape}. Leave "
                "out empty sequences, or pad and mask them."
            )
        run: Any = self._run_by_steps
        # Where a mask begins with False, cells one by one would show another of the given states.
        given = mask is not None and (self.stateful or initial_state is not None)
        if (
            isinstance(self.cell, RecurrentCell if given else (RecurrentCell, StackedRNNCells))
            and self.cell.by_sequences
            and self.cell.compute_dtype == self.compute_dtype
        ):
            run = self.cell.run
        outputs, states = run(
            sequences,
            self._first_states(initial_state, sequences),
            training,
            mask=jax.tree.leaves(mask)[0] if mask is not None else None,
            return_sequences=self.return_sequences,
            go_backwards=self.go_backwards,
            zero_output_for_mask=self.zero_output_for_mask,
            unroll=self.unroll,
        )
        if self.stateful:
            for variable, value in zip(jax.tree.leaves(self.states), jax.tree.leaves(states)):
                variable.assign(value)
        return (outputs, *states) if self.return_state else outputs

    def _run_by_steps(
        self, sequences: Any, states: Any, training: bool, **how: Any
    ) -> tuple[Any, Any]:
        def step(entry: Any, states: Any) -> tuple[Any, Any]:
            x, place = entry
            with at_step(place):
                return self.cell(x, states, training=training)

        entries = (jnp.swapaxes(sequences, 0, 1), jnp.arange(sequences.shape[1]))
        return sweep(step, entries, states, **how)

    def _initial_states(self, sequences: Any) -> list[Any]:
        return self.get_initial_state(sequences.shape[0])

    def _first_states(self, given: Any, sequences: Any) -> list[Any]:
        """Initial states: those given, those kept, or the cell's own, in the compute type."""
        wanted = self._initial_states(sequences)
        if given is None and not self.stateful:
            return wanted
        source = self.states if given is None else given
        found = [jnp.asarray(getattr(s, "value", s)) for s in jax.tree.leaves(source)]
        leaves, structure = jax.tree.flatten(wanted)
        if [s.shape for s in found] != [s.shape for s in leaves]:
            raise ValueError(
                f"Layer {self.path!r} needs initial states of shapes {[s.shape for s in leaves]} "
                f"for an input of shape {sequences.shape}; got {[s.shape for s in found]}. "
                + ("Keep the batch size." if given is None else "Pass one array for each.")
            )
        return jax.tree.unflatten(structure, [s.astype(w.dtype) for s, w in zip(found, leaves)])

    def reset_state(self) -> None:
        """Set the states of a stateful layer to 0."""
        for variable in jax.tree.leaves(self.states):
            variable.assign(jnp.zeros(variable.shape, variable.dtype))

    def reset_states(self) -> None:
        """Another name of `reset_state`."""
        self.reset_state()

    def compute_mask(self, inputs: Any, mask: Any) -> Any:
        """The mask itself with `return_sequences`, else None; None for states."""
        leaves = jax.tree.leaves(mask)
        mask = leaves[0] if leaves and self.return_sequences else None
        if not self.return_state:
            return mask
        return [mask, *(None for _ in jax.tree.leaves(self.cell.state_size))]

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Shape of the output, and of the states with `return_state`."""
        batch, steps, *rest = sequences_shape
        output = self._step_output((batch, *rest))
        states = self._state_shapes(output) if self.return_state else []
        if self.return_sequences:
            output = (batch, steps, *output[1:])
        return (output, *states) if self.return_state else output

    def _step_output(self, step_shape: Any) -> Any:
        size = output_size(self.cell)
        return (step_shape[0], *(size if isinstance(size, (list, tuple)) else (size,)))

    def _state_shapes(self, output: Any) -> list[Any]:
        states = jax.eval_shape(lambda: self.get_initial_state(1))
        return jax.tree.map(lambda state: (output[0], *state.shape[1:]), states)

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        flags = {name: getattr(self, name) for name in _FLAGS}
        return {**super().get_config(), **flags, "cell": registry.serialize(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The layer that `get_config` described."""
        config = dict(config)
        cell = registry.deserialize(config.pop("cell"), custom_objects, kind="layer")
        return cls(cell, **config)


class RecurrentLayer(RNN):
    """An `RNN` that makes its own cell and takes the cell's arguments for its own.

    Args:
        given: value of each of the cell's `arguments` and of the layer's, and ``"kwargs"``: the
            ``locals()`` of a subclass' `__init__`.
    """

    cell_class: type[RecurrentCell]
    ndim = 3

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "cell_class" in vars(cls):
            for name in cls.cell_class.arguments:
                if not hasattr(cls, name):
                    setattr(cls, name, property(_of_cell(name)))

    def __init__(self, given: dict[str, Any]) -> None:
        kwargs = dict(given["kwargs"])
        kwargs.pop("implementation", None)  # two ways to compute the same in Keras
        flags = {name: given[name] for name in _FLAGS if name in given}
        for_cell = {name: kwargs[name] for name in ("dtype", "trainable") if name in kwargs}
        arguments = {name: given[name] for name in self.cell_class.arguments if name in given}
        super().__init__(
            self.cell_class(**self._fixed(), **arguments, **for_cell),
            activity_regularizer=given["activity_regularizer"],
            **flags,
            **kwargs,
        )
        self.input_spec = InputSpec(ndim=self.ndim)

    def _fixed(self) -> dict[str, Any]:
        """Further arguments of the cell, that follow from the class."""
        return {}

    def get_config(self) -> dict[str, Any]:
        """Arguments of an equal layer."""
        config = super().get_config()
        cell = config.pop("cell")["config"]
        regularizer = registry.serialize(self.activity_regularizer)
        own = {name: cell[name] for name in self.cell_class.arguments if name in cell}
        return {**config, **own, "activity_regularizer": regularizer}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """The layer that `get_config` described."""
        return cls(**config)


def _of_cell(name: str) -> Callable[[Any], Any]:
    return lambda self: getattr(self.cell, name)
