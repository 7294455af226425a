"""One step of training, testing or predicting, as a pure function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.training.objective import Objective
from slipstream.training.state import LiveState, TrainState


def forward(
    model: Any,
    live: LiveState,
    trainable: list[Any],
    non_trainable: list[Any],
    x: Any,
    *,
    training: bool,
    key: Any = None,
    row_mask: Any = None,
) -> tuple[Any, Scope]:
    """Outputs of the model for these values of its variables, and the scope of the call."""
    scope = Scope(
        [*live.trainable, *live.non_trainable],
        [*trainable, *non_trainable],
        training=training,
        key=key,
        ordinals=live.ordinals,
        row_mask=row_mask,
    )
    with scope.active():
        outputs = model(x, training=training)
    return outputs, scope


def _total_loss(
    model: Any, objective: Objective, scope: Scope, outputs: Any, batch: Any, row_mask: Any
) -> tuple[Any, list[Any]]:
    _, y, sample_weight = batch
    with scope.active():
        total, parts = objective.compute_loss(y, outputs, sample_weight, row_mask)
        for penalty in (*scope.losses, *model._regularization()):
            total = total + jnp.sum(penalty)
    return total, parts


def _stream(
    objective: Objective,
    live: LiveState,
    metrics: list[Any],
    loss: Any,
    parts: list[Any],
    outputs: Any,
    batch: Any,
    row_mask: Any,
) -> list[Any]:
    scope = Scope(live.metric_variables, metrics)
    with scope.active():
        objective.update(loss, parts, batch[1], outputs, batch[2], row_mask)
    return scope.read(live.metric_variables)


def make_train_step(model: Any, objective: Objective, live: LiveState) -> Callable[..., Any]:
    """``(state, (), batch, row_mask) -> state``: gradient, update and metrics of one batch."""
    optimizer, packing = live.optimizer, live.packing
    decays = _decays(live)

    def step(state: TrainState, frozen: tuple, batch: Any, row_mask: Any) -> TrainState:
        key = jax.random.fold_in(key_from(state.seed), state.optimizer.iterations)
        scale = optimizer.loss_scale(state.optimizer)

        def loss_of(values: list[Any]) -> tuple[Any, Any]:
            outputs, scope = forward(
                model,
                live,
                values,
                state.non_trainable,
                batch[0],
                training=True,
                key=key,
                row_mask=row_mask,
            )
            loss, parts = _total_loss(model, objective, scope, outputs, batch, row_mask)
            scaled = loss if scale is None else loss * scale
            return scaled, (loss, parts, outputs, scope.read(live.non_trainable))

        values = packing.unpack(state.trainable)
        gradients, (loss, parts, outputs, non_trainable) = jax.grad(loss_of, has_aux=True)(values)
        new, optimizer_state = optimizer.transition(
            state.trainable, packing.pack(gradients), state.optimizer, decays
        )
        if not packing.active:
            new = [
                value if variable.constraint is None else variable.constraint(value)
                for variable, value in zip(live.trainable, new)
            ]
        metrics = _stream(objective, live, state.metrics, loss, parts, outputs, batch, row_mask)
        return TrainState(new, non_trainable, optimizer_state, metrics, state.seed)

    return step


def _decays(live: LiveState) -> list[Any]:
    """Which weights decay: one flag a weight, or one 0/1 array for packed ones."""
    flags = live.optimizer.decays(live.trainable)
    if not live.packing.active:
        return flags
    if len(set(flags)) <= 1:
        return flags[:1]
    return [
        np.concatenate(
            [
                np.full(variable.size, flag, np.float32)
                for variable, flag in zip(live.trainable, flags)
            ]
        )
    ]


def make_test_step(model: Any, objective: Objective, live: LiveState) -> Callable[..., Any]:
    """``(metrics, (trainable, non_trainable), batch, row_mask) -> metrics`` of one batch."""

    def step(metrics: list[Any], frozen: tuple, batch: Any, row_mask: Any) -> list[Any]:
        trainable, non_trainable = frozen
        outputs, scope = forward(
            model,
            live,
            live.packing.unpack(trainable),
            non_trainable,
            batch[0],
            training=False,
            row_mask=row_mask,
        )
        loss, parts = _total_loss(model, objective, scope, outputs, batch, row_mask)
        return _stream(objective, live, metrics, loss, parts, outputs, batch, row_mask)

    return step


def make_predict_step(model: Any, live: LiveState) -> Callable[..., Any]:
    """``((trainable, non_trainable), x) -> outputs``."""

    def step(frozen: tuple, x: Any) -> Any:
        trainable, non_trainable = frozen
        return forward(
            model, live, live.packing.unpack(trainable), non_trainable, x, training=False
        )[0]

    return step
