"""The pure step of an optimizer: what happens around the rule, for any rule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from slipstream.optimizers.rule import UpdateRule


class OptimizerState(NamedTuple):
    """Everything an optimizer carries from step to step; a pytree of arrays.

    Attributes:
        iterations: int32 scalar, number of gradients seen, whether or not they led to an update.
        learning_rate: float scalar; not read where a schedule is in force.
        shared: state that belongs to no single weight, by name.
        slots: for each weight, its state by name.
        accumulators: for each weight, the sum of gradients not yet applied; empty unless
            gradients are accumulated.
        averages: for each weight, its moving average; empty unless one is kept.
    """

    iterations: Any
    learning_rate: Any
    shared: dict[str, Any]
    slots: list[dict[str, Any]]
    accumulators: list[Any]
    averages: list[Any]


def transition(
    optimizer: UpdateRule,
    params: Sequence[Any],
    grads: Sequence[Any],
    state: OptimizerState,
    decays: Sequence[Any],
) -> tuple[list[Any], OptimizerState]:
    """See `Optimizer.transition`."""
    _check(params, grads, decays)
    values, grads = list(params), list(grads)
    iterations = jnp.asarray(state.iterations)
    many = optimizer.gradient_accumulation_steps
    updates = iterations // many if many else iterations
    rate = optimizer.learning_rate_at(iterations, state.learning_rate)
    if optimizer.loss_scale_factor is not None:
        grads = [grad / optimizer.loss_scale_factor for grad in grads]

    def apply(params: Any, grads: Any, slots: Any, shared: Any) -> tuple[Any, Any, Any]:
        return _apply(optimizer, params, grads, slots, shared, updates + 1, rate, decays)

    slots, shared, sums = state.slots, state.shared, state.accumulators
    if many:

        def due(params: Any, grads: Any, slots: Any, shared: Any, sums: Any) -> Any:
            means = [(_wide(total) + grad) / many for total, grad in zip(sums, grads)]
            return *apply(params, means, slots, shared), [jnp.zeros_like(s) for s in sums]

        def wait(params: Any, grads: Any, slots: Any, shared: Any, sums: Any) -> Any:
            sums = [(total + grad).astype(total.dtype) for total, grad in zip(sums, grads)]
            return params, slots, shared, sums

        carried = jax.tree.map(jnp.asarray, (values, grads, slots, shared, sums))
        last = (iterations + 1) % many == 0
        values, slots, shared, sums = choose(last, due, wait, *carried)
    else:
        values, slots, shared = apply(values, grads, slots, shared)
    averages = state.averages
    if optimizer.use_ema:
        values, averages = _average(optimizer, values, averages, updates)
    return values, OptimizerState(
        iterations + 1, state.learning_rate, shared, slots, sums, averages
    )


def choose(condition: Any, yes: Callable[..., Any], no: Callable[..., Any], *args: Any) -> Any:
    """`jax.lax.cond`, but a plain choice outside of programs, where it would compile anew."""
    if isinstance(condition, jax.core.Tracer):
        return jax.lax.cond(condition, yes, no, *args)
    return (yes if condition else no)(*args)


def _check(params: Sequence[Any], grads: Sequence[Any], decays: Sequence[Any]) -> None:
    if not len(params) == len(grads) == len(decays):
        raise ValueError(
            f"An optimizer wants as many gradients and decays as weights; got {len(params)} "
            f"weights, {len(grads)} gradients and {len(decays)} decays."
        )
    for place, (param, grad) in enumerate(zip(params, grads)):
        if jnp.shape(param) != jnp.shape(grad):
            raise ValueError(
                f"Gradient {place} has shape {jnp.shape(grad)}, but its weight has shape "
                f"{jnp.shape(param)}. Pass the gradients in the order of the weights."
            )


def _wide(array: Any) -> Any:
    """Rules compute in float32 at least, whatever the weights are kept in."""
    return jnp.asarray(array, jnp.promote_types(array.dtype, jnp.float32))


def _apply(
    optimizer: UpdateRule,
    params: Sequence[Any],
    grads: Sequence[Any],
    slots: Sequence[dict[str, Any]],
    shared: dict[str, Any],
    step: Any,
    learning_rate: Any,
    decays: Sequence[Any],
) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any]]:
    """Clip, decay and run the rule once."""
    wide = [_wide(param) for param in params]
    grads = _clip(optimizer, [jnp.asarray(grad, p.dtype) for p, grad in zip(wide, grads)])
    for place, (own, decay) in enumerate(zip(slots, decays)):
        factor = optimizer.decay_factor(own)
        if decay is not False and factor is not None:
            factor = factor if decay is True else factor * decay
            wide[place] = wide[place] - wide[place] * factor * learning_rate
    opened = [{name: _wide(slot) for name, slot in own.items()} for own in slots]
    new, changed, shared = optimizer.update_all(wide, grads, opened, shared, step, learning_rate)
    new = [array.astype(param.dtype) for array, param in zip(new, params)]
    closed = [
        {name: slot.astype(old[name].dtype) for name, slot in own.items()}
        for own, old in zip(changed, slots)
    ]
    return new, closed, shared


def _clip(optimizer: UpdateRule, grads: list[Any]) -> list[Any]:
    norm, overall, value = optimizer.clipnorm, optimizer.global_clipnorm, optimizer.clipvalue
    if norm and norm > 0:
        return [
            grad * norm / jnp.maximum(jnp.sqrt(jnp.sum(jnp.square(grad))), norm) for grad in grads
        ]
    if overall and overall > 0:
        found = jnp.sqrt(sum(jnp.sum(jnp.square(grad)) for grad in grads))
        # An infinite norm makes every gradient NaN, rather than most of them zero.
        scale = overall / jnp.maximum(found, overall) + (found - found)
        return [grad * scale for grad in grads]
    if value and value > 0:
        return [jnp.clip(grad, -value, value) for grad in grads]
    return grads


def _average(
    optimizer: UpdateRule, params: Sequence[Any], averages: Sequence[Any], updates: Any
) -> tuple[list[Any], list[Any]]:
    momentum = jnp.where(updates == 0, 0.0, optimizer.ema_momentum)
    averages = [
        (momentum * _wide(average) + (1 - momentum) * _wide(param)).astype(param.dtype)
        for average, param in zip(averages, params)
    ]
    if optimizer.ema_overwrite_frequency:
        due = (updates + 1) % optimizer.ema_overwrite_frequency == 0
        params = [jnp.where(due, average, param) for average, param in zip(averages, params)]
    return list(params), averages
