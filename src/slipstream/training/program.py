"""Compiled programs: many steps in one dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import engine
from slipstream.core.cost import Cost
from slipstream.core.cost import count as count_cost
from slipstream.kernels import native, race
from slipstream.training.clock import Clock
from slipstream.training.draws import Draws
from slipstream.training.stored import Store


class LoopProgram:
    """Runs a step over batches picked by row numbers, many batches a dispatch.

    The number of batches is an argument, so a program is compiled once and not once a length.
    Where the step holds a convolution and runs on the CPU, XLA is slow inside loops (jax issue
    12868); each dispatch then runs one step.

    Args:
        step: ``(carry, frozen, batch, row_mask) -> (carry, logs)``.
        results: ``(carry, logs) -> dict`` of scalars to report after a chunk, from the logs of its
            last step.
        store: where programs are kept for the next process.
        draws: where the step tells that it draws: until then the carry's `seed` is left out.
    """

    def __init__(
        self,
        step: Callable[..., Any],
        results: Callable[[Any, Any], Any],
        store: Store,
        draws: Draws | None = None,
    ) -> None:
        self._step = jax.jit(step)
        self._draws = draws
        self._results = results
        self._compiled: dict[Any, Any] = {}
        self._costs: dict[Any, Cost] = {}
        self._store = store
        self._steps = 0
        self._light = False  # how the last program was compiled
        self._seconds = 0.0  # about what all planned steps take

    def __call__(
        self,
        carry: Any,
        frozen: Any,
        data: Any,
        order: Any,
        start: int,
        count: int,
        *,
        partial: bool,
        clock: Clock,
    ) -> tuple[Any, Any]:
        """Run batches `start` to `start + count` and give the new carry and the results.

        Args:
            carry: given away to the program.
            frozen: only read.
            data: structure of arrays ``(rows, …)`` that batches are picked from.
            order: ``(batches, batch)`` int32 row numbers, -1 where a batch has no row.
            start: first batch.
            count: number of batches; 1 if `whole` is False.
            partial: whether there are -1s.
            clock: charged with the time of tracing and compiling.
        """
        with clock.part("compile"):
            step_cost = self.cost(carry, frozen, data, order.shape[1], partial)
            options = self._options(step_cost)
            carry = self._seedless(carry)
            key = (_signature(data), order.shape, partial, bool(options), self._draws_asked())
            arguments = (carry, frozen, data, order, start, count)
            if key not in self._compiled:
                chunk = self._chunk(self.loops(step_cost), partial)
                self._compiled[key] = self._build(chunk, key, options, arguments)
        clock.ran(count, _rows(order[start : start + count]), step_cost)
        return self._compiled[key](*arguments)

    def plan(self, steps: int) -> None:
        """Say that so many more steps are going to be run: it decides the compiler's effort."""
        self._steps += steps

    def _options(self, step_cost: Cost) -> dict[str, Any]:
        options = engine.compiler_options(step_cost.flops, self._steps, self._light)
        self._light = bool(options)
        self._seconds = engine.forecast(step_cost.flops, self._steps)
        return options

    def cost(self, carry: Any, frozen: Any, data: Any, width: int, partial: bool) -> Cost:
        """Cost of one step on batches of `width` rows of `data`."""
        key = (_signature(data), width, partial)
        if key not in self._costs:
            known = self._store.cost(key)
            self._costs[key] = known or self._count(
                self._seedless(carry), frozen, data, width, partial
            )
            # A step that draws is traced in each process, so that it is known that it does.
            if known is None and not self._draws_asked():
                self._store.keep_cost(key, self._costs[key])
        return self._costs[key]

    def _draws_asked(self) -> bool:
        return self._draws is not None and self._draws.asked

    def _seedless(self, carry: Any) -> Any:
        """The carry as the step takes it: without a seed where nothing is drawn."""
        unused = self._draws is not None and not self._draws.asked
        return carry._replace(seed=None) if unused else carry

    def _count(self, carry: Any, frozen: Any, data: Any, width: int, partial: bool) -> Cost:
        batch = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct((width, *leaf.shape[1:]), leaf.dtype), data
        )
        mask = jax.ShapeDtypeStruct((width,), bool) if partial else None
        return count_cost(self._step.trace(carry, frozen, batch, mask).jaxpr)

    def loops(self, step_cost: Cost) -> bool:
        """Whether a dispatch may run many steps."""
        return not (step_cost.convolutions and jax.default_backend() == "cpu")

    def epochs(
        self,
        carry: Any,
        metrics: Any,
        data: Any,
        orders: Any,
        count: int,
        *,
        partial: bool,
        clock: Clock,
    ) -> tuple[Any, Any]:
        """Run `count` whole epochs and give the new carry and the results of each.

        Args:
            carry: the train state, given away to the program.
            metrics: values of the metrics' variables that each epoch starts with.
            data: as for a call.
            orders: ``(epochs, batches, batch)`` int32, an epoch's order each.
            count: how many of them to run, from the first.
            partial, clock: as for a call.

        Returns:
            The new state, and results with a leading axis of epochs.
        """
        with clock.part("compile"):
            step_cost = self.cost(carry, (), data, orders.shape[2], partial)
            options = self._options(step_cost)
            key = (_signature(data), orders.shape, partial, bool(options))
            arguments = (carry, metrics, data, orders, count)
            if key not in self._compiled:
                several = self._several(orders.shape[0], partial)
                self._compiled[key] = self._build(several, key, options, arguments)
        clock.ran(count * orders.shape[1], count * _rows(orders[0]), step_cost)
        return self._compiled[key](*arguments)

    def _body(
        self, place: Any, carry: Any, frozen: Any, data: Any, order: Any, partial: bool
    ) -> Any:
        """Pick batch `place` and run the step on it."""
        rows = jax.lax.dynamic_index_in_dim(order, place, keepdims=False)
        mask = rows >= 0 if partial else None
        picked = jnp.maximum(rows, 0) if partial else rows
        batch = jax.tree.map(lambda leaf: leaf.at[picked].get(mode="promise_in_bounds"), data)
        return self._step(carry, frozen, batch, mask)

    def _steps_of(
        self, start: Any, end: Any, carry: Any, frozen: Any, data: Any, order: Any, partial: bool
    ) -> Any:
        """Run batches `start` to `end` in a loop; give the carry and the last one's logs."""

        def body(place: Any, carry: Any) -> Any:
            return self._body(place, carry, frozen, data, order, partial)

        shapes = jax.eval_shape(body, start, carry)[1]
        logs = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        return jax.lax.fori_loop(
            start, end, lambda place, both: body(place, both[0]), (carry, logs)
        )

    def _chunk(self, loops: bool, partial: bool) -> Callable[..., Any]:
        def chunk(carry: Any, frozen: Any, data: Any, order: Any, start: Any, count: Any) -> Any:
            if loops:
                carry, logs = self._steps_of(
                    start, start + count, carry, frozen, data, order, partial
                )
            else:
                carry, logs = self._body(start, carry, frozen, data, order, partial)
            return carry, self._results(carry, logs)

        return chunk

    def _several(self, room: int, partial: bool) -> Callable[..., Any]:
        def several(carry: Any, metrics: Any, data: Any, orders: Any, count: Any) -> Any:
            def run(place: Any, carry: Any) -> Any:
                order = jax.lax.dynamic_index_in_dim(orders, place, keepdims=False)
                carry, logs = self._steps_of(
                    0, order.shape[0], carry._replace(metrics=metrics), (), data, order, partial
                )
                return carry, self._results(carry, logs)

            def epoch(place: Any, loop: Any) -> Any:
                carry, results = run(place, loop[0])
                return carry, jax.tree.map(lambda of, one: of.at[place].set(one), loop[1], results)

            shapes = jax.eval_shape(run, 0, carry)[1]
            empty = jax.tree.map(lambda leaf: jnp.zeros((room, *leaf.shape), leaf.dtype), shapes)
            return jax.lax.fori_loop(0, count, epoch, (carry, empty))

        return several

    def _build(
        self, function: Callable[..., Any], key: Any, options: dict[str, Any], arguments: tuple
    ) -> Any:
        """The compiled function, from the store if it is there; it takes its first argument."""
        key = (key, function.__name__, _signature(arguments))
        program = self._store.program(key, arguments)
        if program is None:
            engine.enable_cache()
            jitted = jax.jit(function, donate_argnums=0, compiler_options=options or None)
            with race.held(self._seconds):
                lowered = jitted.lower(*arguments)
            program, fresh = engine.compile_lowered(lowered)
            if fresh:
                structure: Any = program.out_tree
                _, results = structure.unflatten([0] * structure.num_leaves)
                self._store.keep_program(key, program, results)
                engine.trim()
        return program


def _rows(order: Any) -> int:
    """Rows in batches; -1s are none."""
    short = order[order[:, -1] < 0] if order.size else order
    return int(order.size - (short < 0).sum())


def _signature(data: Any) -> Any:
    leaves, structure = jax.tree.flatten(data)
    return (
        native.library(),
        structure,
        tuple((getattr(leaf, "shape", None), str(getattr(leaf, "dtype", None))) for leaf in leaves),
    )
