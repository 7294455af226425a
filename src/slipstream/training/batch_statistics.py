"""Moving statistics of batch normalization, taken anew for the weights that a model has now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.random import key_from
from slipstream.core.variable import Variable
from slipstream.layers.batch_normalization import BatchNormalization
from slipstream.training.clock import Clock
from slipstream.training.feed import Feed
from slipstream.training.program import LoopProgram
from slipstream.training.session import Session
from slipstream.training.step import forward
from slipstream.training.stored import Store


class Sums(NamedTuple):
    """Statistics of the batches so far, each times its rows, and how many rows and batches."""

    values: list[Any]
    rows: Any
    batches: Any


def reestimate(model: Any, session: Session, feed: Feed) -> bool:
    """Put the mean over one epoch's batches in the place of every moving statistic.

    The model runs as in training, dropout included, but learns nothing. Weights that were
    averaged or set by hand need this (Izmailov et al., 2018, section 3.2).

    Returns:
        Whether there was a batch; if not, all stays as it was.
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, BatchNormalization) and layer.built and layer.trainable
    ]
    statistics = [v for layer in layers for v in layer.non_trainable_variables]
    if not statistics:
        return True
    live = session.live
    state = live.current()
    program = LoopProgram(_step(model, session, layers, statistics), _nothing, Store("", None))
    zeros = [np.zeros(v.shape, "float32") for v in statistics]
    sums = jax.device_put(Sums(zeros, np.float32(0), np.int32(live.step)))
    frozen = state.trainable, state.non_trainable, state.seed
    clock = Clock()
    feed.place = None
    for data, order, steps, partial in feed.epoch(live.seed, live.step):
        cost = program.cost(sums, frozen, data, order.shape[1], partial)
        count = steps if program.loops(cost) else 1
        for start in range(0, steps, count):
            sums, _ = program(sums, frozen, data, order, start, count, partial=partial, clock=clock)
    rows = float(sums.rows)
    if rows:
        for variable, total in zip(statistics, sums.values):
            variable.assign(np.asarray(total) / rows)
    return bool(rows)


def _step(
    model: Any, session: Session, layers: Sequence[Any], statistics: Sequence[Variable]
) -> Any:
    def step(sums: Sums, frozen: tuple, batch: Any, row_mask: Any) -> Any:
        trainable, non_trainable, seed = frozen
        with _without_memory(layers):
            _, scope = forward(
                model,
                session.live,
                session.live.packing.unpack(trainable),
                non_trainable,
                batch[0],
                training=True,
                key=jax.random.fold_in(key_from(seed), sums.batches),
                row_mask=row_mask,
            )
        rows = jax.tree.leaves(batch)[0].shape[0] if row_mask is None else jnp.sum(row_mask)
        rows = jnp.asarray(rows, jnp.float32)
        found = scope.read(statistics)
        values = [s + rows * value.astype(s.dtype) for s, value in zip(sums.values, found)]
        return Sums(values, sums.rows + rows, sums.batches + 1), ()

    return step


def _nothing(carry: Any, logs: Any) -> dict[str, Any]:
    return {}


@contextmanager
def _without_memory(layers: Sequence[Any]) -> Iterator[None]:
    """Moving statistics are those of the last batch alone, in what is traced meanwhile."""
    kept = [(layer, layer.momentum, layer.renorm_momentum) for layer in layers]
    for layer in layers:
        layer.momentum = layer.renorm_momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum, renorm_momentum in kept:
            layer.momentum, layer.renorm_momentum = momentum, renorm_momentum
