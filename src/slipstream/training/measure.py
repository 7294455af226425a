"""`Model.speed`: a model's layers, its whole prediction and its whole training step, measured."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import engine
from slipstream.data.arrays import length, to_arrays
from slipstream.speed import ceilings, layers
from slipstream.speed.check import counted
from slipstream.speed.limits import limit
from slipstream.speed.table import Speed
from slipstream.training.clock import Clock
from slipstream.training.session import Session, open_session
from slipstream.training.state import TrainState

_ALL = "the whole model"
_MANY = 10**12  # steps: a program to be measured is worth the compiler's full effort


def speed(model: Any, x: Any, y: Any, batch_size: int) -> Speed:
    """Measure a model; `Model.speed` documents the arguments."""
    x, y = to_arrays(x, "x"), to_arrays(y, "y")
    rows = length(x, "x") if y is None else length({"x": x, "y": y}, "data")
    if not rows or batch_size < 1:
        raise ValueError(f"speed needs a batch; got {rows} rows and batch_size={batch_size}.")
    batch_size = min(batch_size, rows)
    x, y = jax.tree.map(lambda leaf: leaf[:batch_size], (x, y))
    trains = y is not None and model._compiled is not None
    session = open_session(model, (x, y, None), compiled=trains)
    model.check_input(x)
    machine = ceilings.known()
    engine.enable_cache()
    state = session.live.current()
    predict: Any = inspect.unwrap(session.predict.program)
    given = ((state.trainable, state.non_trainable), x, None)
    places, alone = layers.programs(model, x)
    alone[_ALL] = layers.program(predict, *given)
    plain = {"prediction": counted(predict, *given)}
    if trains:
        train: Any = inspect.unwrap(session.train._step)
        plain["training step"] = counted(train, state, (), (x, y, None), None)
    lowered: Iterator[Any] = (each.traced.lower() for each in alone.values())
    lowered = chain(lowered, (each.lowered for each in plain.values()))
    ready = iter(engine.compile_together(lowered))
    measured = {key: each.measured(next(ready), machine) for key, each in alone.items()}
    checks = {what: each.beside(next(ready)) for what, each in plain.items()}
    step = None
    if trains:
        step = _step(session, jax.tree.map(jnp.copy, state), (x, y, None), machine)
    told = {what: each for what, each in checks.items() if each is not None}
    rows_of_layers = layers.rows(places, measured)
    return Speed(model.name, batch_size, rows_of_layers, measured[_ALL], step, machine, told)


def _step(session: Session, state: TrainState, batch: Any, machine: Any) -> layers.Measured:
    """A training step as `fit` runs it; the state is a copy, whose buffers it may reuse."""
    program, clock = session.train, Clock()
    data = jax.device_put(batch)
    order = np.arange(jax.tree.leaves(batch)[0].shape[0], dtype=np.int32)[None]
    held = [state]

    def run() -> Any:
        held[0], results = program(held[0], (), data, order, 0, 1, partial=False, clock=clock)
        return held[0], results

    program.plan(_MANY)
    try:
        seconds = ceilings.least(run, layers.SECONDS)
        cost = program.cost(held[0], (), data, order.shape[1], False)
    finally:
        program.plan(-_MANY)
    return layers.Measured(cost, limit(cost, machine), seconds)
