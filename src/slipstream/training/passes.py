"""One program over the batches of an epoch, in dispatches of many batches."""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np

from slipstream.core import engine
from slipstream.data.sources import ArraySource
from slipstream.training.callbacks.base import CallbackList
from slipstream.training.clock import Clock
from slipstream.training.feed import Feed
from slipstream.training.interrupt import Interrupt
from slipstream.training.session import Session

CHUNK_SECONDS = 0.5  # between two looks at progress, Ctrl-C and the clock
# Each dispatch allocates its working memory anew, which shows beside steps of many milliseconds:
# so many of them share a dispatch, as long as it takes no longer than this.
LONG_STEPS, LONG_SECONDS = 8, 2.0
MOST_ORDERS = 4_000_000  # row numbers that travel in one dispatch of several epochs

Logs = dict[str, Any]


class Pacer:
    """Chooses how many batches the next dispatch runs.

    Args:
        limit: batches a dispatch may run at most; 1 where somebody must see each batch.
        seconds: expected time of one batch, until it is measured.
    """

    def __init__(self, limit: int | None, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds

    def next(self, remaining: int) -> int:
        """Batches for the next dispatch, out of `remaining`."""
        several = min(LONG_STEPS, int(LONG_SECONDS / self.seconds))
        count = max(1, int(CHUNK_SECONDS / self.seconds), several)
        if count * 2 > remaining:  # no short rest for a dispatch of its own
            count = remaining
        return min(count, self.limit or count)

    def saw(self, count: int, seconds: float) -> None:
        """Learn from a dispatch of `count` batches that took `seconds`."""
        self.seconds = max(seconds / count, 1e-7)


class Pass:
    """Runs one program over the batches of one epoch of a feed.

    Args:
        mode: ``"train"`` or ``"test"``.
        session: the model's session.
        feed: the data.
        callbacks: who is told about batches.
        clock: charged with the time.
        planned: batches of all epochs together.
    """

    def __init__(
        self,
        mode: str,
        session: Session,
        feed: Feed,
        callbacks: CallbackList,
        clock: Clock,
        planned: int,
    ) -> None:
        self.mode, self.session, self.feed = mode, session, feed
        self.callbacks, self.clock = callbacks, clock
        self.program = session.train if mode == "train" else session.test
        self.program.plan(planned)
        self.each = callbacks.sees_batches(mode)
        self.pacer: Pacer | None = None
        self.part = "train" if mode == "train" else "validate"

    def run(self, carry: Any, frozen: Any, step: int, interrupt: Interrupt) -> tuple[Any, Logs]:
        """Run one epoch from `carry`; give the new carry and the results on the host.

        A training run publishes its state after every dispatch, so nothing is lost.
        """
        live, clock, model = self.session.live, self.clock, self.callbacks.model
        done, results, skipped = 0, None, self.feed.skip
        if self.mode == "test":  # of the same batches each time
            self.feed.place = None
        segments = self.feed.epoch(live.seed, step)
        while True:
            if results is not None and not self.feed.stays:
                # What runs while the next block is made is no waiting for it.
                with clock.part(self.part):
                    jax.block_until_ready(results)
            with clock.part("data"):
                segment = next(segments, None)
            if segment is None:
                break
            start = 0
            while start < segment.steps:
                if self.pacer is None:
                    with clock.part("compile"):
                        cost = self.program.cost(
                            carry, frozen, segment.data, segment.order.shape[1], segment.partial
                        )
                    one = self.each or not self.program.loops(cost)
                    self.pacer = Pacer(1 if one else None, engine.forecast(cost.flops, 1))
                count = self.pacer.next(segment.steps - start)
                if self.each:
                    self.callbacks.batch(self.mode, "begin", done)
                compiled = clock.seconds.get("compile", 0.0)
                begin = time.perf_counter()
                with clock.part(self.part):
                    carry, results = self.program(
                        carry,
                        frozen,
                        segment.data,
                        segment.order,
                        start,
                        count,
                        partial=segment.partial,
                        clock=clock,
                    )
                    if self.mode == "train":
                        live.publish(carry)
                start += count
                done += count
                last = start == segment.steps
                if self.each or (not last and self.pacer.limit is None):
                    with clock.part(self.part):
                        jax.block_until_ready(results)
                    compiled = clock.seconds.get("compile", 0.0) - compiled
                    self.pacer.saw(count, time.perf_counter() - begin - compiled)
                if self.each:
                    with clock.part("callbacks"):
                        self.callbacks.batch(self.mode, "end", done - 1, to_host(results))
                    if self.mode == "train":
                        carry = live.current()  # a callback may have assigned variables
                else:
                    if self.callbacks.looks():
                        with clock.part(self.part):
                            jax.block_until_ready(results)
                    with clock.part("callbacks"):
                        self.callbacks.progress(self.mode, done, results)
                if interrupt.asked or (self.mode == "train" and model.stop_training):
                    return carry, to_host(results)
        if results is None and skipped:  # the run before took all of the epoch's batches
            return carry, {}
        if results is None:
            raise ValueError(
                "The data gave no batch for this epoch: the iterator is used up. Pass an object "
                "that can be iterated again, or set steps_per_epoch so that it lasts."
            )
        with clock.part(self.part):
            logs = to_host(results)
        return carry, logs

    def at_once(self, epochs: int) -> int:
        """How many epochs one dispatch may run: 1, or more where they are short."""
        source, session = self.feed.source, self.session
        if (
            not isinstance(source, ArraySource)
            or not self.feed.stays
            or self.each
            or not self.callbacks.watches_only
            or (source.partial and not session.fills)
            or source.whole % source.steps  # then not all epochs are as long
        ):
            return 1
        data = self.feed.resident()
        with self.clock.part("compile"):
            cost = self.program.cost(
                session.live.current(), (), data, source.batch_size, bool(source.partial)
            )
        if not self.program.loops(cost):
            return 1
        one = engine.forecast(cost.flops, source.steps)
        rows = source.steps * source.batch_size
        return max(1, min(epochs, int(CHUNK_SECONDS / one), MOST_ORDERS // rows))

    def run_several(self, state: Any, step: int, count: int, room: int) -> tuple[Any, list[Logs]]:
        """Run `count` epochs in one dispatch; `room` is the number it is compiled for."""
        source, live = self.feed.source, self.session.live
        assert isinstance(source, ArraySource)
        with self.clock.part("data"):
            data = self.feed.resident()
            orders = np.zeros((room, source.steps, source.batch_size), np.int32)
            place = self.feed.place or source.begin(live.seed, step)
            for i in range(count):
                orders[i] = source.order(place)
                place = source.after(place)
            self.feed.place = place
        with self.clock.part(self.part):
            state, results = self.program.epochs(
                state,
                self.session.zeros(),
                data,
                orders,
                count,
                partial=bool(source.partial),
                clock=self.clock,
            )
            live.publish(state)
            results = jax.tree.map(np.asarray, results)
        return state, [
            to_host({name: value[i] for name, value in results.items()}) for i in range(count)
        ]


def to_host(results: Any) -> Logs:
    """Results of a program as floats (arrays where they are no scalars), sorted by name."""
    return {
        name: float(value) if np.ndim(value) == 0 else np.asarray(value)
        for name, value in sorted(results.items())
    }
