"""One step of training, testing or predicting, as a pure function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.kernels.barrier import all_computed
from slipstream.training import custom
from slipstream.training.draws import Draws, after, key_of
from slipstream.training.objective import Objective
from slipstream.training.state import LiveState, TestState, TrainState


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
    metrics: Sequence[Any] = (),
) -> tuple[Any, Scope]:
    """Outputs of the model for these values of its variables, and the scope of the call."""
    scope = Scope(
        [*live.trainable, *live.non_trainable, *live.metric_variables],
        [*trainable, *non_trainable, *metrics],
        training=training,
        key=key,
        ordinals=live.ordinals,
        row_mask=row_mask,
    )
    with scope.active():
        outputs = model(x, training=training)
    return outputs, scope


def _loss(model: Any, scope: Scope, outputs: Any, batch: Any, training: bool) -> Any:
    x, y, sample_weight = batch
    with scope.active():
        return model.compute_loss(
            x=x, y=y, y_pred=outputs, sample_weight=sample_weight, training=training
        )


def _stream(
    model: Any,
    objective: Objective,
    live: LiveState,
    metrics: list[Any],
    loss: Any,
    parts: list[Any],
    outputs: Any,
    batch: Any,
    row_mask: Any,
) -> tuple[list[Any], Any]:
    """New values of the metrics, and what an own `compute_metrics` of the model reports."""
    x, y, sample_weight = batch
    scope = Scope(live.metric_variables, metrics, row_mask=row_mask)
    rows = jax.tree.leaves(batch)[0].shape[0] if row_mask is None else jnp.sum(row_mask)
    logs: Any = ()
    with scope.active():
        objective.track(loss, parts, rows)
        if model.overrides("compute_metrics"):
            logs = model.compute_metrics(x=x, y=y, y_pred=outputs, sample_weight=sample_weight)
        else:
            objective.update(y, outputs, sample_weight, row_mask)
    return scope.read(live.metric_variables), logs


def make_train_step(model: Any, objective: Objective, live: LiveState) -> Callable[..., Any]:
    """``(state, (), batch, row_mask) -> (state, logs)``: gradient, update, metrics of a batch.

    The logs are what methods of the user's own report, else empty: the metrics say it all.
    """
    if model.overrides("train_step"):
        return custom.train_step(model, live)
    optimizer, packing = live.optimizer, live.packing
    decays = _decays(live)

    def step(state: TrainState, frozen: tuple, batch: Any, row_mask: Any) -> Any:
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
                metrics=state.metrics,
            )
            loss = _loss(model, scope, outputs, batch, True)
            scaled = loss if scale is None else loss * scale
            read = scope.read(live.non_trainable), scope.read(live.metric_variables)
            return scaled, (loss, scope.parts, outputs, *read)

        values = packing.unpack(state.trainable)
        gradients, beside = optimizer.differentiate(loss_of, values)
        loss, parts, outputs, non_trainable, metrics = beside
        # Packed ones are one array anyway.
        gradients = packing.pack(gradients) if packing.active else all_computed(gradients)
        new, optimizer_state = optimizer.transition(
            state.trainable, gradients, state.optimizer, decays
        )
        if not packing.active:
            new = [
                value if variable.constraint is None else variable.constraint(value)
                for variable, value in zip(live.trainable, new)
            ]
        metrics, logs = _stream(
            model, objective, live, metrics, loss, parts, outputs, batch, row_mask
        )
        return TrainState(new, non_trainable, optimizer_state, metrics, state.seed), logs

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


def make_test_step(
    model: Any, objective: Objective, live: LiveState, draws: Draws
) -> Callable[..., Any]:
    """``(TestState, (trainable, non_trainable), batch, row_mask) -> (TestState, logs)``."""
    if model.overrides("test_step"):
        return custom.test_step(model, live, draws)

    def step(state: TestState, frozen: tuple, batch: Any, row_mask: Any) -> Any:
        trainable, non_trainable = frozen
        with draws.watch(state.seed):
            outputs, scope = forward(
                model,
                live,
                live.packing.unpack(trainable),
                live.with_states(non_trainable, state.states),
                batch[0],
                training=False,
                key=key_of(state.seed),
                row_mask=row_mask,
                metrics=state.metrics,
            )
            loss = _loss(model, scope, outputs, batch, False)
            metrics = scope.read(live.metric_variables)
            metrics, logs = _stream(
                model, objective, live, metrics, loss, scope.parts, outputs, batch, row_mask
            )
        states = live.states(scope.read(live.non_trainable))
        return TestState(metrics, states, after(state.seed)), logs

    return step


def make_predict_step(model: Any, live: LiveState, draws: Draws) -> Callable[..., Any]:
    """``((trainable, non_trainable), x, seed) -> (outputs, states)``; see `Predictor`."""
    if model.overrides("predict_step"):
        return custom.predict_step(model, live, draws)

    def step(frozen: tuple, x: Any, seed: Any) -> Any:
        trainable, non_trainable = frozen
        with draws.watch(seed):
            outputs, scope = forward(
                model,
                live,
                live.packing.unpack(trainable),
                non_trainable,
                x,
                training=False,
                key=key_of(seed),
            )
        return outputs, live.states(scope.read(live.non_trainable))

    return step
