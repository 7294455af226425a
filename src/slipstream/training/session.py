"""A session: what follows from a compiled model and its variables, kept between calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from slipstream.core.scope import Scope
from slipstream.core.variable import Variable
from slipstream.data.sources import Batch
from slipstream.training import step
from slipstream.training.direct import Direct
from slipstream.training.draws import Draws, seed_of
from slipstream.training.objective import Objective
from slipstream.training.predictor import Predictor
from slipstream.training.program import LoopProgram
from slipstream.training.staging import Stages
from slipstream.training.state import LiveState, TestState
from slipstream.training.stored import Store, describe


class Session:
    """Optimizer, objective, live state and programs of one model.

    Args:
        model: a built model.
        optimizer: the optimizer of `compile`, or None.
        objective: the bound objective of `compile`, or None for prediction alone.
    """

    def __init__(self, model: Any, optimizer: Any, objective: Objective | None) -> None:
        if optimizer is not None and not optimizer.built:
            optimizer.build(model.trainable_variables)
        self.optimizer = optimizer
        self.objective = objective
        tracked = [] if objective is None else [*objective.all_metrics(), *model.metrics]
        metrics = list({id(metric): metric for metric in tracked}.values())
        for metric in metrics:
            metric.reset_state()
        self.live = LiveState(
            model, optimizer, [variable for metric in metrics for variable in metric.variables]
        )
        self.reported = model.metrics if model.overrides("metrics") else metrics
        self.metric_names = [metric.name for metric in self.reported]
        layers = model._flatten_layers()
        # The model itself only passes data from layer to layer, unless it is a user's own class.
        self.per_example = all(
            layer.per_example and layer.activity_regularizer is None for layer in layers
        )
        # Methods of the user's own see no row mask, so their batches are not filled up.
        self.fills = (
            self.per_example
            and objective is not None
            and objective.per_example
            and not model.overrides("compute_loss", "compute_metrics", "train_step", "test_step")
        )
        if objective is not None:
            live = self.live
            described = describe(model, objective, live)
            if optimizer is not None:
                self.train = LoopProgram(
                    step.make_train_step(model, objective, live),
                    lambda state, logs: self._results(state.metrics, logs),
                    Store("train", described),
                )
            draws = Draws()
            self.test = LoopProgram(
                step.make_test_step(model, objective, live, draws),
                lambda state, logs: self._results(state.metrics, logs),
                Store("test", described),
                draws,
            )
        draws = Draws()
        self.predict = Predictor(step.make_predict_step(model, self.live, draws), self.live, draws)
        self.direct = Direct.of(model, self.live)
        self.stages = Stages()
        # Of a row: operations, and bytes of the largest result, by kind of input.
        self.amounts: dict[Any, tuple[float, float]] = {}

    def _results(self, metrics: list[Any], logs: Any) -> dict[str, Any]:
        assert self.objective is not None
        if isinstance(logs, dict):
            return logs
        with Scope(self.live.metric_variables, metrics).active():
            return results_of(self.reported)

    def frozen(self) -> tuple[list[Any], list[Any]]:
        """Values of the model's variables, for programs that only read them."""
        state = self.live.current()
        return state.trainable, state.non_trainable

    def zeros(self) -> list[Any]:
        """Values of the metrics' variables in their reset state."""
        return [np.copy(value) for value in self.live.metric_zeros]

    def test_state(self, metrics: list[Any], run: int | None = None, at: int = 0) -> TestState:
        """What a test starts with; its draws are those of a run at some step, or new ones."""
        states = self.live.states(self.live.current().non_trainable)
        # Copies: programs reuse the buffers of what they are given.
        return TestState(metrics, [np.array(state) for state in states], seed_of(run, at))


def results_of(metrics: Iterable[Any]) -> dict[str, Any]:
    """The present value of each metric, by name."""
    found: dict[str, Any] = {}
    for metric in metrics:
        value = metric.result()
        value = value if isinstance(value, dict) else {metric.name: value}
        found.update({k: v.value if isinstance(v, Variable) else v for k, v in value.items()})
    return found


def outputs_of(model: Any, x: Any) -> Any:
    """Shapes of the model's outputs for a batch, building the model on the way."""
    if not model.built:
        model.build_on(x)
    known = model.output_shapes(jax.tree.leaves(x)[0].shape[0])
    if known is not None:
        return known

    def run(x: Any) -> Any:
        with Scope(training=False, dry=True).active():
            return model(x)

    return jax.eval_shape(run, x)


def open_session(model: Any, batch: Batch, *, compiled: bool) -> Session:
    """The model's session, made or renewed for its present variables.

    Args:
        model: the model; built on the batch if it is not yet.
        batch: a batch of the data to come.
        compiled: whether losses and metrics are needed.

    Raises:
        ValueError: if they are needed and the model is not compiled.
    """
    x, y, _ = batch
    session: Session | None = model._session
    if (
        session is not None
        and session.live.matches(model)
        and not (compiled and session.objective is None)
    ):
        return session
    compiled_with = model._compiled
    if compiled and compiled_with is None:
        raise ValueError(
            f"Model {model.name!r} is not compiled. Call compile(optimizer=…, loss=…) first."
        )
    if not model.built:
        model.build_on(x)
    objective = None
    if compiled and compiled_with is not None:
        objective = compiled_with.objective
        if not objective.bound:
            objective.bind(outputs_of(model, x), y, model.output_names)
    optimizer = None if compiled_with is None else compiled_with.optimizer
    session = Session(model, optimizer, objective)
    if model._session is not None:  # go on with the same run: its seed outlives new variables
        session.live.seed = model._session.live.seed
    model._session = session
    return session
