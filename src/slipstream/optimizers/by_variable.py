"""Optimizers written a variable at a time, with `update_step`, run as pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import jax.numpy as jnp

from slipstream.core.scope import Scope
from slipstream.core.variable import Variable
from slipstream.optimizers.schedules import wide_float

if TYPE_CHECKING:
    from slipstream.optimizers.base import Optimizer


def update_all(
    optimizer: Optimizer,
    params: Sequence[Any],
    grads: Sequence[Any],
    slots: Sequence[dict[str, Any]],
    shared: dict[str, Any],
    step: Any,
    learning_rate: Any,
) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any]]:
    """`UpdateRule.update_all` for an optimizer with an `update_step` of its own.

    Its variables stand for the given values while `update_step` runs for one weight after the
    other; what it assigned is read back.
    """
    own = optimizer._own
    places = optimizer.chosen
    weights = [weight for weight in own.weights if own.places.get(id(weight)) in places]
    held = [[(own.slots[place][name], name) for name in s] for place, s in zip(places, slots)]
    bound: list[tuple[Variable, Any]] = [
        *zip(weights, params),
        *((slot, found[name]) for pairs, found in zip(held, slots) for slot, name in pairs),
        *((own.shared[name], value) for name, value in shared.items()),
        (own.iterations, (step - 1) * (optimizer.gradient_accumulation_steps or 1)),
        (own.learning_rate, learning_rate),
    ]
    scope = Scope([variable for variable, _ in bound], [value for _, value in bound])
    with scope.active():
        for weight, grad in zip(weights, grads):
            optimizer.update_step(grad, weight, learning_rate)
    changed = [{name: scope.values[id(slot)] for slot, name in pairs} for pairs in held]
    others = {name: scope.values[id(own.shared[name])] for name in shared}
    return scope.read(weights), changed, others


def update_one(optimizer: Optimizer, gradient: Any, variable: Variable, learning_rate: Any) -> None:
    """Apply the optimizer's rule to one weight and the variables that belong to it."""
    own = optimizer._own
    place = own.places[id(variable)]
    slots = {name: slot.value for name, slot in own.slots[place].items() if name[0] != "_"}
    shared = {name: each.value for name, each in own.shared.items()}
    step = jnp.asarray(optimizer.iterations) + 1
    rate = jnp.asarray(learning_rate, wide_float())
    coefficients, shared = optimizer.prepare(step, rate, shared)
    gradient = jnp.asarray(gradient)
    value, slots = optimizer.update(jnp.asarray(variable.value), gradient, slots, coefficients)
    variable.assign(value)
    for name, new in slots.items():
        own.slots[place][name].assign(new)
    if place == len(own.places) - 1:  # what all weights share changes once a step
        for name, new in shared.items():
            own.shared[name].assign(new)
