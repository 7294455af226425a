"""The train state: everything a training loop carries, and its tie to the variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.random import draw_seed
from slipstream.core.scope import Scope
from slipstream.core.variable import Deferred, Variable

# Elements. Of larger ones, one flat array compiles sooner, but steps get slower by 10 % and now and
# then, for no reason found, by ten times.
PACK_LIMIT = 65_536


class TrainState(NamedTuple):
    """One pytree that goes into a program and comes out of it.

    Attributes:
        trainable: values of the trainable variables, or one flat array of all of them.
        non_trainable: values of the other variables.
        optimizer: the optimizer's state, packed like `trainable`; None without an optimizer.
        metrics: values of the metrics' variables.
        seed: uint32 seed of the run.
    """

    trainable: list[Any]
    non_trainable: list[Any]
    optimizer: Any
    metrics: list[Any]
    seed: Any


class TestState(NamedTuple):
    """What a testing program carries from batch to batch.

    Attributes:
        metrics: values of the metrics' variables.
        states: values of the states of stateful layers.
        seed: ``(3,)`` uint32, what the draws of the next batch follow from; see `draws.key_of`.
            None in programs that draw nothing.
    """

    metrics: list[Any]
    states: list[Any]
    seed: Any


class Packing:
    """Turns a list of arrays into one flat array and back, or leaves it as it is.

    A small model's update is a few operations on one flat array instead of a few for each weight:
    quicker to compile and to run.
    """

    def __init__(self, variables: Sequence[Variable], active: bool) -> None:
        self.active = active
        self.shapes = [variable.shape for variable in variables]
        self.ends = np.cumsum([variable.size for variable in variables]).tolist()

    def pack(self, values: Sequence[Any], xp: Any = jnp) -> list[Any]:
        """A list with the one flat array, or the values themselves."""
        if not self.active or not values:
            return list(values)
        return [xp.concatenate([xp.ravel(value) for value in values])]

    def unpack(self, values: Sequence[Any]) -> list[Any]:
        """The inverse of `pack`."""
        if not self.active or not values:
            return list(values)
        starts = [0, *self.ends[:-1]]
        return [
            values[0][start:end].reshape(shape)
            for start, end, shape in zip(starts, self.ends, self.shapes)
        ]

    def optimizer(
        self, state: Any, each: Callable[[list[Any]], list[Any]], packed: bool = False
    ) -> Any:
        """Apply `pack`, or `unpack` if it is packed, to every per-weight list of a state."""
        if state is None or not self.active:
            return state
        names = list(state.slots[0]) if state.slots else []
        columns = {name: each([slots[name] for slots in state.slots]) for name in names}
        count = len(self.shapes) if packed else 1
        return state._replace(
            slots=[{name: column[i] for name, column in columns.items()} for i in range(count)],
            accumulators=each(list(state.accumulators)),
            averages=each(list(state.averages)),
        )


class LiveState:
    """The current train state of a model, on the device.

    While it holds a variable's value, the variable keeps a `Deferred` that fetches it on demand,
    so nothing is copied unless somebody looks. A variable that is assigned to drops its
    `Deferred`; that is how `current` notices and gathers the values anew.

    Args:
        model: the model whose variables it holds.
        optimizer: a built optimizer, or None.
        metric_variables: the variables of all metrics, in their reset state.
    """

    def __init__(self, model: Any, optimizer: Any, metric_variables: Sequence[Variable]) -> None:
        self.trainable = model.trainable_variables
        self.non_trainable = model.non_trainable_variables
        self._transient = [i for i, v in enumerate(self.non_trainable) if v.transient]
        self.optimizer = optimizer
        self.metric_variables = list(metric_variables)
        self.metric_zeros = [np.array(v.stored) for v in self.metric_variables]
        self.ordinals = {id(layer): i for i, layer in enumerate(model._flatten_layers())}
        self.packing = Packing(self.trainable, _packable(self.trainable, optimizer))
        self.seed = draw_seed()
        optimizer_variables = [] if optimizer is None else optimizer.variables
        self.variables: list[Variable] = [
            *self.trainable,
            *self.non_trainable,
            *optimizer_variables,
            *self.metric_variables,
        ]
        # The same structure as an unpacked state, with each variable's place for its value.
        places = {id(variable): place for place, variable in enumerate(self.variables)}
        scope = Scope(self.variables, [places[id(v)] for v in self.variables])
        with scope.active():
            optimizer_places = None if optimizer is None else optimizer.state()
        self._places = TrainState(
            scope.read(self.trainable),
            scope.read(self.non_trainable),
            optimizer_places,
            scope.read(self.metric_variables),
            None,
        )
        held = {place for place in jax.tree.leaves(self._places) if isinstance(place, int)}
        self._deferred = [
            (self.variables[place], Deferred(partial(self._fetch, place))) for place in sorted(held)
        ]
        self._state: TrainState | None = None
        self._host: dict[int, np.ndarray] | None = None

    def matches(self, model: Any) -> bool:
        """Whether the model still has the same variables in the same roles."""
        return all(
            [id(v) for v in found] == [id(v) for v in known]
            for found, known in zip(model.variables_by_role(), (self.trainable, self.non_trainable))
        )

    def current(self) -> TrainState:
        """The state, with every value that was assigned from outside in its place."""
        if self._state is None or self._assigned():
            self._gather()
        assert self._state is not None
        return self._state

    def _assigned(self) -> bool:
        for variable, deferred in self._deferred:  # noqa: SIM110 - any() takes three times as long
            if variable._value is not deferred:
                return True
        return False

    def states(self, non_trainable: Sequence[Any]) -> list[Any]:
        """The states of stateful layers, out of the values of the non-trainable variables."""
        return [non_trainable[place] for place in self._transient]

    def with_states(self, non_trainable: Sequence[Any], states: Sequence[Any]) -> list[Any]:
        """The values of the non-trainable variables, with other states."""
        values = list(non_trainable)
        for place, state in zip(self._transient, states):
            values[place] = state
        return values

    def publish_states(self, states: Sequence[Any]) -> None:
        """Take the states that a program gave back as the current ones."""
        if self._transient:
            state = self.current()
            self.publish(
                state._replace(non_trainable=self.with_states(state.non_trainable, states))
            )

    def publish(self, state: TrainState) -> None:
        """Take the state that a program gave back as the current one."""
        self._state = state
        self._host = None

    @property
    def step(self) -> int:
        """Training steps taken so far."""
        return 0 if self.optimizer is None else int(self.current().optimizer.iterations)

    def _gather(self) -> None:
        values = [variable.stored for variable in self.variables]
        # What no variable holds (a learning rate that optax keeps to itself) stands for itself.
        unpacked = jax.tree.map(
            lambda place: values[place] if isinstance(place, int) else place, self._places
        )
        packing = self.packing
        if packing.active:  # a small model: pack on the host, where nothing needs compiling
            unpacked = jax.tree.map(np.asarray, unpacked)
        state = TrainState(
            packing.pack(unpacked.trainable, np),
            unpacked.non_trainable,
            packing.optimizer(unpacked.optimizer, partial(packing.pack, xp=np)),
            unpacked.metrics,
            np.uint32(self.seed),
        )
        # Copies: the state's buffers are given away to each program, the variables' are not.
        self._state = jax.device_put(state, may_alias=False)
        self._host = None
        for variable, deferred in self._deferred:
            variable._value = deferred

    def _fetch(self, place: int) -> np.ndarray:
        """A copy of one variable's value: programs reuse the state's own buffers."""
        assert self._state is not None
        if self._host is None:
            self._host = {}
        if place not in self._host:
            state, packing = self._state, self.packing
            if packing.active:  # a small model: fetch all of it
                state = jax.tree.map(np.asarray, state)
            unpacked = state._replace(
                trainable=packing.unpack(state.trainable),
                optimizer=packing.optimizer(state.optimizer, packing.unpack, packed=True),
                seed=None,
            )
            for each, value in zip(jax.tree.leaves(self._places), jax.tree.leaves(unpacked)):
                if isinstance(each, int) and (packing.active or each == place):
                    self._host[each] = np.array(value)
        return self._host[place]


def _packable(variables: Sequence[Variable], optimizer: Any) -> bool:
    return (
        len(variables) > 1
        and sum(variable.size for variable in variables) <= PACK_LIMIT
        and {variable.dtype for variable in variables} == {"float32"}
        and all(variable.constraint is None for variable in variables)
        and (optimizer is None or optimizer.packable)
    )
