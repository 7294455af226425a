"""Each layer of a model by itself: what it takes, and what it would take at the machine's limit.

A model is run once with every layer's `call` watched, so that each layer can be run alone on
the very arrays that it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import cost
from slipstream.core.cost import Cost
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.speed.ceilings import Ceilings, least
from slipstream.speed.limits import Limit, limit

SECONDS = 0.03  # for the repeats of one program


class Measured(NamedTuple):
    """One program, counted and timed.

    Attributes:
        cost: what it takes at the least.
        limit: the times that it cannot stay under.
        seconds: the shortest time of several runs.
    """

    cost: Cost
    limit: Limit
    seconds: float

    @property
    def share(self) -> float:
        """The part of the machine's limit that it reaches."""
        return self.limit.seconds / self.seconds


class Row(NamedTuple):
    """One layer of a model.

    Attributes:
        name: with the names of the models that it lies in before it.
        kind: its class.
        calls: how often the model calls it; the figures are those of all calls.
        forward: prediction.
        training: forward and backward; forward alone where there is nothing to differentiate.
    """

    name: str
    kind: str
    calls: int
    forward: Measured
    training: Measured


class Call(NamedTuple):
    """What a layer was called with: arrays by their places among the leaves, and the rest."""

    layer: Any
    structure: Any
    leaves: list[Any]
    arrays: list[int]
    given: list[bool]  # whether an array is an input of the model, so that it has no gradient


class Program(NamedTuple):
    """A program to be measured, and what it is given."""

    traced: Any
    arguments: tuple[Any, ...]

    def measured(self, compiled: Callable[..., Any], ceilings: Ceilings) -> Measured:
        """Count and time it."""
        found = cost.count(self.traced.jaxpr)
        seconds = least(lambda: compiled(*self.arguments), SECONDS)
        return Measured(found, limit(found, ceilings), seconds)


def program(function: Callable[..., Any], *arguments: Any) -> Program:
    """A function of arrays, traced."""
    return Program(jax.jit(function).trace(*arguments), arguments)


class Place(NamedTuple):
    """A layer where a model calls it, and the keys of its programs."""

    layer: Any
    name: str
    forward: str
    training: str


def leaf_layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The layers of a model and of the models in it, by name."""
    for layer in model.layers:
        if hasattr(layer, "fit") and hasattr(layer, "layers"):
            yield from leaf_layers(layer, f"{prefix}{layer.name}/")
        else:
            yield prefix + layer.name, layer


def programs(model: Any, x: Any) -> tuple[list[Place], dict[str, Program]]:
    """The calls of the layers in a built model on a batch, in order, and their programs by key.

    Layers of one kind and size have one.

    Args:
        model: a built model.
        x: a batch of inputs, arrays in the model's own structure.
    """
    names = {id(layer): name for name, layer in leaf_layers(model)}
    calls, arrays = _record(model, x)
    places: list[Place] = []
    known: dict[str, Program] = {}
    for call, given in zip(calls, arrays):
        keys = []
        for function, arguments in _programs(call, given):
            found = program(function, *arguments)
            keys.append(str(found.traced.jaxpr))
            known.setdefault(keys[-1], found)
        places.append(Place(call.layer, names[id(call.layer)], *keys))
    return places, known


def rows(places: list[Place], measured: dict[str, Measured]) -> list[Row]:
    """A row for each layer, in the order of their calls, from what its programs took."""
    found: dict[int, Row] = {}
    for layer, name, forward, training in places:
        row = Row(name, type(layer).__name__, 1, measured[forward], measured[training])
        before = found.get(id(layer))
        found[id(layer)] = row if before is None else _both(before, row)
    return list(found.values())


def _both(one: Row, other: Row) -> Row:
    return one._replace(
        calls=one.calls + other.calls,
        forward=together([one.forward, other.forward]),
        training=together([one.training, other.training]),
    )


def together(parts: list[Measured]) -> Measured:
    """Programs one after another."""
    total, limits, seconds = cost.NOTHING, Limit(0.0, 0.0, 0.0), 0.0
    for part in parts:
        total, seconds = total.plus(part.cost), seconds + part.seconds
        limits = Limit(*(a + b for a, b in zip(limits, part.limit)))
    return Measured(total, limits, seconds)


# ---- watching ------------------------------------------------------------------------------------


@contextmanager
def _watched(layers: list[Any], see: Callable[[Any, tuple, dict], None]) -> Iterator[None]:
    """While it lasts, `see` is told of every call of these layers."""

    def watching(layer: Any) -> Callable[..., Any]:
        original = layer.call

        def call(*args: Any, **kwargs: Any) -> Any:
            see(layer, args, kwargs)
            return original(*args, **kwargs)

        return call

    try:
        for layer in layers:
            vars(layer)["call"] = watching(layer)
        yield
    finally:
        for layer in layers:
            vars(layer).pop("call", None)


def _record(model: Any, x: Any) -> tuple[list[Call], list[list[Any]]]:
    """The calls of a model's layers while it trains on a batch, and the arrays they were given."""
    calls: list[Call] = []
    variables = model.variables
    ordinals = {id(layer): i for i, layer in enumerate(model._flatten_layers())}

    def run(values: list[Any], x: Any) -> list[list[Any]]:
        calls.clear()
        seen: list[list[Any]] = []
        inputs = {id(leaf) for leaf in jax.tree.leaves(x)}

        def see(layer: Any, args: tuple, kwargs: dict) -> None:
            leaves, structure = jax.tree.flatten((args, kwargs))
            places = [i for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array)]
            seen.append([leaves[i] for i in places])
            given = [id(leaves[i]) in inputs for i in places]
            kept = [None if i in places else leaf for i, leaf in enumerate(leaves)]
            calls.append(Call(layer, structure, kept, places, given))

        scope = Scope(variables, values, training=True, key=key_from(0), ordinals=ordinals)
        with _watched([layer for _, layer in leaf_layers(model)], see), scope.active():
            model(x, training=True)
        return seen

    values = [variable.value for variable in variables]
    return calls, jax.jit(run)(values, jax.tree.map(jnp.asarray, x))


# ---- one layer alone -----------------------------------------------------------------------------


def _programs(call: Call, arrays: list[Any]) -> tuple[Any, Any]:
    """A layer's forward program and its training program, with their arguments."""
    layer = call.layer
    ordinals = {id(each): i for i, each in enumerate(layer._flatten_layers())}
    trainable, others = layer.trainable_variables, layer.non_trainable_variables

    def run(values: list[Any], states: list[Any], arrays: list[Any], training: bool) -> Any:
        leaves = list(call.leaves)
        for place, array in zip(call.arrays, arrays):
            leaves[place] = array
        args, kwargs = jax.tree.unflatten(call.structure, leaves)
        if "training" in kwargs:
            kwargs["training"] = training
        key = key_from(0) if training else None
        scope = Scope(
            [*trainable, *others], [*values, *states], training=training, key=key, ordinals=ordinals
        )
        with scope.active():
            outputs = layer(*args, **kwargs)
        return jax.tree.leaves(outputs), scope.read(others)

    forward = partial(run, training=False)
    floats = [
        i
        for i, array in enumerate(arrays)
        if jnp.issubdtype(array.dtype, jnp.floating) and not call.given[i]
    ]

    def train(values: list[Any], states: list[Any], arrays: list[Any], cotangents: Any) -> Any:
        def of(values: list[Any], chosen: list[Any]) -> Any:
            given = list(arrays)
            for place, array in zip(floats, chosen):
                given[place] = array
            outputs, states_after = run(values, states, given, True)
            whole = [o for o in outputs if not jnp.issubdtype(o.dtype, jnp.floating)]
            return [o for o in outputs if jnp.issubdtype(o.dtype, jnp.floating)], (
                whole,
                states_after,
            )

        outputs, pull, rest = jax.vjp(of, values, [arrays[i] for i in floats], has_aux=True)
        return pull(cotangents), outputs, rest

    values = [variable.value for variable in trainable]
    states = [variable.value for variable in others]
    shapes = jax.eval_shape(forward, values, states, arrays)[0]
    cotangents = [
        np.ones(shape.shape, shape.dtype)
        for shape in shapes
        if jnp.issubdtype(shape.dtype, jnp.floating)
    ]
    ends = (values, states, arrays)
    if not cotangents or not (values or floats):
        return (forward, ends), (partial(run, training=True), ends)
    return (forward, ends), (train, (*ends, cotangents))
