"""Steps of the user's own: `train_step`, `test_step` and `predict_step` of a subclass.

They have the form they have in Keras on JAX: pure functions of lists of values. `train_step` takes
``(trainable, non_trainable, optimizer, metrics)`` and a batch, and gives logs and the new state.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax

from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.data.batch_tuples import pack_x_y_sample_weight
from slipstream.training.draws import Draws, after, key_of
from slipstream.training.state import LiveState, TestState, TrainState


def check_signature(model: Any, name: str) -> None:
    """Raise a TypeError for a step that takes a batch alone, as in Keras on TensorFlow."""
    parameters = inspect.signature(getattr(model, name)).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return
    if sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters) < 2:
        raise TypeError(
            f"{type(model).__name__}.{name} takes one argument, the form for TensorFlow with a "
            f"gradient tape. Write {name}(self, state, data), which returns (logs, state): compute "
            "gradients with jax.value_and_grad and self.stateless_call, and update with "
            "self.optimizer.stateless_apply. Where only the loss is special, override "
            "compute_loss instead."
        )


def train_step(model: Any, live: LiveState) -> Callable[..., Any]:
    """The model's own `train_step` as a step of a program."""
    check_signature(model, "train_step")
    optimizer, packing = live.optimizer, live.packing
    owned = optimizer.variables

    def step(state: TrainState, frozen: tuple, batch: Any, row_mask: Any) -> Any:
        key = jax.random.fold_in(key_from(state.seed), state.optimizer.iterations)
        writing = Scope(owned, [variable.stored for variable in owned])
        with writing.active():
            optimizer.assign_state(packing.optimizer(state.optimizer, packing.unpack, packed=True))
        mine = model_metrics(model, live, state.metrics)
        given = (
            packing.unpack(state.trainable), state.non_trainable, writing.read(owned), mine
        )  # fmt: skip
        with Scope(key=key, ordinals=live.ordinals).active():
            logs, new = model.train_step(given, pack_x_y_sample_weight(*batch))
        trainable, non_trainable, optimizer_values, metrics = new
        with Scope(owned, list(optimizer_values)).active():
            optimizer_state = optimizer.state()
        return TrainState(
            packing.pack(list(trainable)),
            list(non_trainable),
            packing.optimizer(optimizer_state, packing.pack),
            others(model, live, state.metrics, list(metrics)),
            state.seed,
        ), dict(logs)

    return step


def test_step(model: Any, live: LiveState, draws: Draws) -> Callable[..., Any]:
    """The model's own `test_step` as a step of a program."""
    check_signature(model, "test_step")

    def step(state: TestState, frozen: tuple, batch: Any, row_mask: Any) -> Any:
        trainable, non_trainable = frozen
        mine = model_metrics(model, live, state.metrics)
        given = (
            live.packing.unpack(trainable), live.with_states(non_trainable, state.states), mine
        )  # fmt: skip
        scope = Scope(key=key_of(state.seed), ordinals=live.ordinals, training=False)
        with scope.active(), draws.watch(state.seed):
            logs, new = model.test_step(given, pack_x_y_sample_weight(*batch))
        metrics = others(model, live, state.metrics, list(new[-1]))
        return TestState(metrics, live.states(new[1]), after(state.seed)), dict(logs)

    return step


def predict_step(model: Any, live: LiveState, draws: Draws) -> Callable[..., Any]:
    """The model's own `predict_step` as a step of a program."""
    check_signature(model, "predict_step")

    def step(frozen: tuple, x: Any, seed: Any) -> Any:
        trainable, non_trainable = frozen
        given = (live.packing.unpack(trainable), non_trainable)
        scope = Scope(key=key_of(seed), ordinals=live.ordinals, training=False)
        with scope.active(), draws.watch(seed):
            outputs, new = model.predict_step(given, pack_x_y_sample_weight(x))
        return outputs, live.states(new)

    return step


def model_metrics(model: Any, live: LiveState, values: list[Any]) -> list[Any]:
    """Values of the variables of `model.metrics`, out of those of all metrics."""
    known = {id(v): value for v, value in zip(live.metric_variables, values)}
    return [known[id(v)] for metric in model.metrics for v in metric.variables]


def others(model: Any, live: LiveState, values: list[Any], new: list[Any]) -> list[Any]:
    """All metrics' values, with the new ones of `model.metrics` in their places."""
    changed = [v for metric in model.metrics for v in metric.variables]
    if len(changed) != len(new):
        raise ValueError(
            f"{type(model).__name__}: the step gave {len(new)} values of metrics; model.metrics "
            f"has {len(changed)} variables. Give one value for each, in order."
        )
    placed = {id(v): value for v, value in zip(changed, new)}
    return [placed.get(id(v), value) for v, value in zip(live.metric_variables, values)]
