"""Prediction, and the calls that run a single batch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from slipstream.core import config, engine
from slipstream.data.arrays import length, to_arrays
from slipstream.data.sources import BatchSource, is_batches, make_source, unpack, weigh_classes
from slipstream.training.callbacks.base import CallbackList
from slipstream.training.checks import check_targets
from slipstream.training.clock import Clock
from slipstream.training.loop import in_order
from slipstream.training.passes import Logs, to_host
from slipstream.training.session import Session, open_session, outputs_of

# Work beside which a dispatch's own cost disappears: a GPU of 3e14 a second needs 0.1 ms for it,
# and 0.06 ms to be given it. A CPU wants no more rows than keep its threads busy: with 1024, some
# convolution networks take half as long again as with 256, for all the memory that they need. So
# the inputs and the largest result have a limit there too.
_FLOPS_A_DISPATCH, _FLOPS_OF_SMALL_ROW = 3e10, 2e6
_BYTES_A_DISPATCH = 1 << 26
_FEW_ROWS, _MANY_ROWS, _MOST_ROWS = 32, 256, 8192


def predict(
    model: Any,
    x: Any,
    batch_size: int | None = None,
    verbose: Any = "auto",
    steps: int | None = None,
    callbacks: Any = None,
) -> Any:
    """Outputs for all of `x`; `Model.predict` documents the arguments."""
    session: Session | None = model._session
    if (
        session is not None
        and callbacks is steps is None
        and verbose in ("auto", 0)
        and (rows := _plain_rows(model, x)) is not None
        and config.cap_steps(None, -(-rows // (batch_size or 32))) is None
    ):  # nothing to convert, to check or to tell
        if session.direct is not None and (found := session.direct(x)) is not None:
            return found
        return _in_parts(session, x, rows, batch_size or 32)
    if is_batches(x):
        return _over_batches(model, x, steps, callbacks)
    x = to_arrays(x, "x")
    rows = length(x, "x")
    if session is None:
        if not rows and not model.built:
            raise ValueError("x has no rows, and the model is not built yet. Pass an example.")
        session = open_session(
            model, (jax.tree.map(lambda leaf: leaf[:1], x), None, None), compiled=False
        )
    model.check_input(x)
    listeners = CallbackList(callbacks or (), model=model, verbose=0, epochs=1, steps=None)
    steps = config.cap_steps(steps, -(-rows // (batch_size or 32)))
    if steps is not None:
        rows = min(rows, steps * (batch_size or 32))
        x = jax.tree.map(lambda leaf: leaf[:rows], x)
    if listeners.callbacks:
        listeners.call("on_predict_begin")
    began = time.perf_counter()
    if not listeners.sees_batches("predict"):
        outputs = _in_parts(session, x, rows, batch_size or 32)
    else:
        with session.stages.one() as stage:
            for number, (part, count) in enumerate(_parts(x, rows, batch_size or 32)):
                listeners.batch("predict", "begin", number)
                found = session.predict(stage.lay(part, count))
                stage.take(found)
                listeners.batch("predict", "end", number, {"outputs": found})
            outputs = stage.result()
    if listeners.callbacks:
        listeners.call("on_predict_end")
    if verbose in (1, 2):
        seconds = time.perf_counter() - began
        print(f"Predicted {rows:,} examples in {seconds:.3g} s · {rows / seconds:,.0f} samples/s")
    return outputs


def _plain_rows(model: Any, x: Any) -> int | None:
    """Rows of an array or a list of arrays that the model takes as they are, None of others."""
    arrays = x if type(x) is list else [x]
    rows = None
    for array in arrays:
        if type(array) is not np.ndarray or array.dtype != np.float32 or not array.ndim:
            return None
        if rows not in (None, len(array)):
            return None
        rows = len(array)
    return rows if model.takes([array.shape for array in arrays]) else None


def _in_parts(session: Session, x: Any, rows: int, batch_size: int) -> Any:
    """Outputs of as many rows at once as suit a model that treats each by itself, or as asked."""
    alone = session.per_example
    if rows <= min(batch_size, _FEW_ROWS) and (rows == _bucket(rows) or not alone):  # as they are
        return session.predict.own(session.predict.to_host(x))
    width = rest = batch_size
    if alone:
        width, rest = _widths(session, x, rows, batch_size)
    with session.stages.one() as stage:
        for part, count in _parts(x, rows, width, rest):
            laid = stage.lay(part, _bucket(count) if alone else count)
            outputs = session.predict.to_host(laid)
            stage.take(outputs, count if alone else None)
        return stage.result(session.predict.own)


def _parts(x: Any, rows: int, width: int, rest: int | None = None) -> Iterator[tuple[Any, int]]:
    """Consecutive parts of `x`, and how many rows each has.

    Args:
        rest: rows of the last parts, where less than seven eighths of another `width` are left.
    """
    rest = rest or width
    if rows <= rest:
        yield x, rows
        return
    start = 0
    while start < rows:
        left = rows - start
        count = min(left, width if 8 * left >= 7 * width else rest)
        yield jax.tree.map(lambda leaf, begin=start, n=count: leaf[begin : begin + n], x), count
        start += count


def _bucket(rows: int) -> int:
    """A power of two: keeps the number of programs small, whatever sizes are asked for."""
    return 1 << max(rows - 1, 0).bit_length()


def _widths(session: Session, x: Any, rows: int, batch_size: int) -> tuple[int, int]:
    """Rows of a dispatch, many where the model is small; and those of the last ones, see `_parts`.

    What is left of a small model's rows, and of a GPU's, is filled up at little cost.
    """
    on_cpu = jax.default_backend() == "cpu"
    least = min(batch_size, _FEW_ROWS) if on_cpu else batch_size
    if rows <= least:
        return least, least
    engine.enable_cache()
    leaves = jax.tree.leaves(x)
    key = tuple((leaf.shape[1:], leaf.dtype) for leaf in leaves)
    if key not in session.amounts:
        sample = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((least, *leaf.shape[1:]), leaf.dtype), x
        )
        flops, size = session.predict.amounts(sample)
        session.amounts[key] = flops / least, size / least
    flops, size = session.amounts[key]
    small = flops <= _FLOPS_OF_SMALL_ROW
    wanted: float = _MOST_ROWS
    if on_cpu:
        size = max(size, sum(leaf.nbytes for leaf in leaves) / rows, 1.0)
        wanted = min(wanted if small else _MANY_ROWS, _BYTES_A_DISPATCH / size)
    if not small:
        wanted = min(wanted, _FLOPS_A_DISPATCH / flops)
    width = max(least, _bucket(int(wanted) + 1) // 2)
    return width, min(width, _FEW_ROWS) if on_cpu and not small else width


def _over_batches(model: Any, batches: Any, steps: int | None, callbacks: Any) -> Any:
    source = make_source(batches, steps=steps)
    assert isinstance(source, BatchSource)
    session = open_session(model, source.first(), compiled=False)
    listeners = CallbackList(callbacks or (), model=model, verbose=0, epochs=1, steps=source.steps)
    listeners.call("on_predict_begin")
    fills = session.per_example and not listeners.sees_batches("predict")
    with session.stages.one() as stage:
        for number, (x, _, _) in enumerate(source.epoch(source.begin(0, 0))):
            listeners.batch("predict", "begin", number)
            rows = length(x, "x")
            outputs = session.predict(stage.lay(x, _bucket(rows) if fills else rows, passing=True))
            stage.take(outputs, rows if fills else None)
            listeners.batch("predict", "end", number, {"outputs": outputs})
        found = stage.result()
    listeners.call("on_predict_end")
    if found is None:
        raise ValueError("The data gave no batch to predict on.")
    return found


def _one_batch(
    model: Any, x: Any, y: Any, sample_weight: Any, class_weight: Any
) -> tuple[Session, Any]:
    if y is None and isinstance(x, tuple):
        x, y, sample_weight = unpack(x)
    x, y = to_arrays(x, "x"), to_arrays(y, "y")
    sample_weight = to_arrays(sample_weight, "sample_weight")
    if class_weight is not None:
        sample_weight = weigh_classes(class_weight, y, sample_weight)
    batch = (x, y, sample_weight)
    length({"x": x, "y": y} if y is not None else {"x": x}, "data")
    model.check_input(x)
    session = open_session(model, batch, compiled=True)
    assert session.objective is not None
    check_targets(session.objective, y, outputs_of(model, x))
    return session, batch


def train_on_batch(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    class_weight: dict[int, float] | None = None,
    return_dict: bool = False,
) -> Any:
    """One step on one batch; `Model.train_on_batch` documents the arguments."""
    session, batch = _one_batch(model, x, y, sample_weight, class_weight)
    live = session.live
    state, results = _single(session.train, live.current(), (), batch)
    live.publish(state)
    return in_order(session, to_host(results), return_dict)


def test_on_batch(
    model: Any, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
) -> Any:
    """Loss and metrics of one batch; `Model.test_on_batch` documents the arguments."""
    session, batch = _one_batch(model, x, y, sample_weight, None)
    live = session.live
    state = live.current()
    tested, results = _single(
        session.test, session.test_state(state.metrics), session.frozen(), batch
    )
    live.publish(state._replace(metrics=tested.metrics))
    live.publish_states(tested.states)
    return in_order(session, to_host(results), return_dict)


def _single(program: Any, carry: Any, frozen: Any, batch: Any) -> tuple[Any, Logs]:
    rows = jax.tree.leaves(batch)[0].shape[0]
    order = np.arange(rows, dtype=np.int32)[None]
    program.plan(1)
    return program(carry, frozen, batch, order, 0, 1, partial=False, clock=Clock())


def predict_on_batch(model: Any, x: Any) -> Any:
    """Outputs for one batch as NumPy arrays, at exactly its size."""
    x = to_arrays(x, "x")
    session = open_session(model, (x, None, None), compiled=False)
    model.check_input(x)
    return session.predict.own(session.predict.to_host(x))
