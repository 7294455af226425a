"""`Model.forecast`: compile what `fit` would run, and time a few steps on a copy of the state."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import config
from slipstream.data.sources import ArraySource, BatchSource, make_source
from slipstream.speed.forecast import Forecast, memory_of
from slipstream.training import loop
from slipstream.training.clock import Clock
from slipstream.training.feed import Feed, Segment
from slipstream.training.passes import Pass, to_host
from slipstream.training.progress import tell

SECONDS = 0.3  # of steps to be timed, and of batches to be made


class Found(NamedTuple):
    """What a pass takes: an epoch, a step, and bytes of a program and of data that stay."""

    epoch: float
    step: float
    program: int | None
    data: int


def forecast(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_data: Any = None,
    shuffle: bool | str = True,
    sample_weight: Any = None,
    steps_per_epoch: int | None = None,
) -> Forecast:
    """Say what `fit` with these arguments will take; `Model.forecast` documents them."""
    clock = Clock()
    epochs = config.cap_epochs(epochs)
    with clock.part("build"):
        source = make_source(
            x, y, sample_weight, batch_size=batch_size, steps=steps_per_epoch, shuffle=shuffle
        )
    _check(source)
    assert source.steps is not None
    session = loop._prepare(model, source, clock, "")
    listeners = loop._callbacks(
        callbacks, model, loop._verbosity(verbose), True, epochs=epochs, steps=source.steps
    )
    planned = epochs * source.steps
    run = Pass("train", session, Feed(source, session.fills), listeners, clock, planned)
    validation = None
    if validation_data is not None:
        validation = loop._validation(
            model, validation_data, batch_size, None, listeners, clock, epochs
        )
        _check(validation.feed.source)
    try:
        room = run.at_once(epochs) if validation is None else 1
        train = _several(run, room) if room > 1 else _each(run)
        test = Found(0.0, 0.0, None, 0) if validation is None else _each(validation)
    finally:  # `fit` plans them again, and so chooses the same programs
        run.program.plan(-planned)
        if validation is not None:
            validation.program.plan(-epochs * (validation.feed.source.steps or 1000))
    memory = None
    if train.program is not None:
        # While one program runs, the other one's data stay, and so does the optimizer's state.
        state = _bytes(session.live.current())
        memory = max(train.program + test.data, (test.program or 0) + train.data + state)
    found = Forecast(
        epochs,
        source.steps,
        train.step,
        train.epoch + test.epoch,
        clock.seconds.get("data", 0.0),
        clock.seconds.get("compile", 0.0),
        memory,
    )
    model._forecast = found
    if loop._verbosity(verbose):
        tell(str(found))
    return found


def _check(source: Any) -> None:
    if isinstance(source, BatchSource) and source.endless:
        raise ValueError(
            "forecast takes some batches, which this iterator could not give to fit again. Pass "
            "arrays, or an object that can be iterated again."
        )
    if source.steps is None:
        raise ValueError(
            "forecast cannot know how many batches an epoch has. Pass steps_per_epoch, or data "
            "with a length."
        )


def _several(run: Pass, room: int) -> Found:
    """Whole epochs in one dispatch, as `Pass.run_several` runs them."""
    source, session, clock = run.feed.source, run.session, run.clock
    assert isinstance(source, ArraySource)
    with clock.part("data"):
        data = run.feed.resident()
        orders = np.zeros((room, source.steps, source.batch_size), np.int32)
        orders[:] = source.order(source.begin(session.live.seed, session.live.step))
    state = _copied(session.live.current())
    known = set(run.program._compiled)

    def epochs(state: Any, count: int) -> tuple[Any, float]:
        zeros, before = session.zeros(), clock.seconds.get("compile", 0.0)
        begin = time.perf_counter()
        state, results = run.program.epochs(
            state, zeros, data, orders, count, partial=bool(source.partial), clock=clock
        )
        jax.tree.map(np.asarray, results)
        spent = time.perf_counter() - begin
        return state, spent - (clock.seconds.get("compile", 0.0) - before)

    state, one = epochs(state, 1)
    count = max(1, min(room, int(SECONDS / max(one, 1e-6))))
    state, several = epochs(state, count)
    each = several / count
    return Found(each, each / source.steps, _memory(run, known), _bytes(data))


def _each(run: Pass) -> Found:
    """Dispatches of some steps, as `Pass.run` runs them."""
    feed = run.feed
    known = set(run.program._compiled)
    segments, waiting = _segments(run)
    timer = _Timer(run)
    for number, segment in enumerate(segments):
        alike = [each.order.shape for each in segments[:number]]
        if segment.order.shape not in alike:
            timer.steps(segment, 1)  # compiles
        if timer.seconds < SECONDS:
            one = timer.steps(segment, 1)
            count = max(1, min(segment.steps, int(SECONDS / max(one, 1e-6))))
            timer.seconds += timer.steps(segment, count)
            timer.done += count
    step = timer.seconds / timer.done
    data, program = _bytes(segments[0].data), _memory(run, known)
    if program is not None and not feed.stays:
        program += 3 * data  # blocks to come: two are ready, one is being made
    epoch = (feed.source.steps or 1) * max(step, waiting)
    return Found(epoch, step, program, data if feed.stays else 0)


def _segments(run: Pass) -> tuple[list[Segment], float]:
    """The segments of an epoch, or the first of them where they are made on the way.

    Also the seconds that a batch takes to be made; 0 for data that stay on the device.
    """
    feed, live = run.feed, run.session.live
    begin, found = time.perf_counter(), []
    made = feed.epoch(live.seed, live.step)
    for segment in made:
        found.append(segment)
        if not feed.stays and time.perf_counter() - begin > SECONDS:
            break
    seconds = time.perf_counter() - begin
    made.close()  # type: ignore[attr-defined]  # it stops the thread that makes them
    batches = sum(segment.steps for segment in found)
    return found, 0.0 if feed.stays else seconds / batches


class _Timer:
    """Runs steps of a pass on a copy of the state.

    Attributes:
        seconds, done: time and number of the steps that count.
    """

    def __init__(self, run: Pass) -> None:
        session = run.session
        live = session.live
        self.run = run
        self.seconds, self.done = 0.0, 0
        self._frozen: Any = ()
        self._carry: Any
        if run.mode == "train":
            self._carry = _copied(live.current())
        else:
            self._carry = session.test_state(session.zeros(), live.seed, live.step)
            self._frozen = session.frozen()

    def steps(self, segment: Segment, count: int) -> float:
        """Seconds of so many steps, in as many dispatches as `fit` takes for them."""
        run = self.run
        cost = run.program.cost(
            self._carry, self._frozen, segment.data, segment.order.shape[1], segment.partial
        )
        at_once = count if run.program.loops(cost) and not run.each else 1
        begin, results = time.perf_counter(), None
        for start in range(0, count, at_once):
            self._carry, results = run.program(
                self._carry,
                self._frozen,
                segment.data,
                segment.order,
                start,
                at_once,
                partial=segment.partial,
                clock=run.clock,
            )
            if run.each:
                to_host(results)
        to_host(results)
        return time.perf_counter() - begin


def _memory(run: Pass, known: set[Any]) -> int | None:
    """Bytes that the largest of the programs in use holds."""
    programs = run.program._compiled
    fresh = [memory_of(programs[key]) for key in programs if key not in known]
    told = [size for size in fresh or map(memory_of, programs.values()) if size is not None]
    return max(told, default=None)


def _copied(state: Any) -> Any:
    """The same values in buffers of their own, which a program may reuse."""
    return jax.tree.map(jnp.copy, state)


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
