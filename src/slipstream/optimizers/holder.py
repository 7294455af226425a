"""The variables that hold an optimizer's state."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import jax.numpy as jnp
import numpy as np

from slipstream.core.variable import Variable
from slipstream.optimizers.rule import UpdateRule
from slipstream.optimizers.schedules import wide_float
from slipstream.optimizers.transition import OptimizerState


class StateVariables:
    """One variable for each array of an `OptimizerState`.

    Args:
        rule: the optimizer whose state it is.

    Attributes:
        weights: the weights it was built for.
        places: index of each updated weight, by its `id`.
        slots: for each updated weight, variables by slot name; a name with a leading underscore
            is there for saved files only.
    """

    def __init__(self, rule: UpdateRule) -> None:
        self.rule = rule
        self.weights: list[Variable] = []
        self.places: dict[int, int] = {}
        self.iterations = self._add("iteration", np.zeros((), "int32"))
        self.learning_rate = self._add("learning_rate", np.asarray(rule.first_rate, wide_float()))
        self.shared: dict[str, Variable] = {}
        self.slots: list[dict[str, Variable]] = []
        self.accumulators: list[Variable] = []
        self.averages: list[Variable] = []

    def _add(self, name: str, start: Any) -> Variable:
        return Variable(
            lambda shape, dtype: start,
            shape=start.shape,
            dtype=start.dtype,
            trainable=False,
            autocast=False,
            name=name,
            path=f"{self.rule.name}/{name}",
        )

    def build(self, weights: Sequence[Variable]) -> None:
        """Create the state for these weights."""
        self.weights = list(weights)
        updated = [weight for weight in weights if not weight.overwrite_with_gradient]
        self.places = {id(weight): place for place, weight in enumerate(updated)}

        def beside(name: str) -> list[Variable]:
            return [
                self._add(f"{weight.path.replace('/', '_')}_{name}", zeros_like(weight))
                for weight in updated
            ]

        self.averages = beside("average") if self.rule.use_ema else []
        accumulates = self.rule.gradient_accumulation_steps
        self.accumulators = beside("gradient_accumulator") if accumulates else []
        self.slots = [
            {slot: self._add(name, start) for slot, (name, start) in found.items()}
            for found in map(self.rule.saved_slots, updated)
        ]
        shared = self.rule.init_shared([weight.value for weight in updated])
        self.shared.update((name, self._add(name, start)) for name, start in shared.items())

    def add(self, variable: Variable) -> Variable:
        """Take a variable of the optimizer's own among those that no single weight has."""
        key = next(k for n in count() if (k := f"{variable.name}.{n}") not in self.shared)
        self.shared[key] = variable
        return variable

    def listed(self) -> list[Variable]:
        """All variables, in the order in which Keras saves them."""
        rate = [self.learning_rate] if self.rule.schedule is None else []
        apart = self.rule.slots_apart
        slots = [slot for own in self.slots for name, slot in own.items() if name not in apart]
        slots += [own[name] for name in apart for own in self.slots if name in own]
        every = [*self.averages, *self.accumulators, *slots, *self.shared.values()]
        return [self.iterations, *rate, *every]

    def read(self, places: Sequence[int]) -> OptimizerState:
        """The current values, of the weights at these places only."""
        return OptimizerState(
            iterations=self.iterations.value,
            learning_rate=self.learning_rate.value,
            shared={name: variable.value for name, variable in self.shared.items()},
            slots=[
                {name: slot.value for name, slot in self.slots[place].items() if name[0] != "_"}
                for place in places
            ],
            accumulators=[self.accumulators[place].value for place in places if self.accumulators],
            averages=[self.averages[place].value for place in places if self.averages],
        )

    def write(self, places: Sequence[int], state: OptimizerState) -> None:
        """Replace the values that `read` gave for the same places."""
        self.iterations.assign(state.iterations)
        self.learning_rate.assign(state.learning_rate)
        for name, value in state.shared.items():
            self.shared[name].assign(value)
        for place, own in zip(places, state.slots):
            for name, value in own.items():
                self.slots[place][name].assign(value)
        for place, value in zip(places, state.accumulators):
            self.accumulators[place].assign(value)
        for place, value in zip(places, state.averages):
            self.averages[place].assign(value)


def zeros_like(weight: Any) -> np.ndarray:
    """Zeros of a weight's shape and type, on the host until a program needs them."""
    return np.zeros(weight.shape, jnp.dtype(weight.dtype))
