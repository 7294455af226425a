"""A session: what follows from a compiled model and its variables, kept between calls."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax

from slipstream.core.scope import Scope
from slipstream.data.sources import Batch
from slipstream.training import step
from slipstream.training.objective import Objective
from slipstream.training.program import LoopProgram
from slipstream.training.state import LiveState
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
            self.test = LoopProgram(
                step.make_test_step(model, objective, live), self._results, Store("test", described)
            )
        self.predict = jax.jit(step.make_predict_step(model, self.live))
        self.widths: dict[Any, float] = {}  # floating-point operations a row, by kind of input

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


def results_of(metrics: Iterable[Any]) -> dict[str, Any]:
    """The present value of each metric, by name."""
    found: dict[str, Any] = {}
    for metric in metrics:
        value = metric.result()
        found.update(value if isinstance(value, dict) else {metric.name: value})
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
