"""Compiled programs: many steps in one dispatch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core import engine
from slipstream.core.cost import Cost
from slipstream.core.cost import count as count_cost
from slipstream.training.clock import Clock


class LoopProgram:
    """Runs a step over batches picked by row numbers, many batches a dispatch.

    The number of batches is an argument, so a program is compiled once and not once a length.
    Where the step holds a convolution and runs on the CPU, XLA is slow inside loops (jax issue
    12868); each dispatch then runs one step.

    Args:
        step: ``(carry, frozen, batch, row_mask) -> carry``.
        results: ``carry -> dict`` of scalars to report after a chunk.
    """

    def __init__(self, step: Callable[..., Any], results: Callable[[Any], Any]) -> None:
        self._step = jax.jit(step)
        self._results = results
        self._compiled: dict[Any, Any] = {}
        self._costs: dict[Any, Cost] = {}

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
        planned: int,
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
            planned: steps that this run is going to take in all, for the compiler's effort.
            clock: charged with the time of tracing and compiling.
        """
        key = (_signature(data), order.shape, partial)
        program = self._compiled.get(key)
        if program is None:
            with clock.part("compile"):
                program = self._compile(carry, frozen, data, order, partial, planned)
            self._compiled[key] = program
        return program(carry, frozen, data, order, start, count)

    def cost(self, carry: Any, frozen: Any, data: Any, width: int, partial: bool) -> Cost:
        """Cost of one step on batches of `width` rows of `data`."""
        key = (_signature(data), width, partial)
        if key not in self._costs:
            batch = jax.tree.map(
                lambda leaf: jax.ShapeDtypeStruct((width, *leaf.shape[1:]), leaf.dtype), data
            )
            mask = jax.ShapeDtypeStruct((width,), bool) if partial else None
            traced = self._step.trace(carry, frozen, batch, mask)
            self._costs[key] = count_cost(traced.jaxpr)
        return self._costs[key]

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
        planned: int,
        clock: Clock,
    ) -> tuple[Any, Any]:
        """Run `count` whole epochs and give the new carry and the results of each.

        Args:
            carry: the train state, given away to the program.
            metrics: values of the metrics' variables that each epoch starts with.
            data: as for a call.
            orders: ``(epochs, batches, batch)`` int32, an epoch's order each.
            count: how many of them to run, from the first.
            partial, planned, clock: as for a call.

        Returns:
            The new state, and results with a leading axis of epochs.
        """
        key = (_signature(data), orders.shape, partial, "epochs")
        program = self._compiled.get(key)
        if program is None:
            with clock.part("compile"):
                program = self._compile_epochs(carry, metrics, data, orders, partial, planned)
            self._compiled[key] = program
        return program(carry, metrics, data, orders, count)

    def _body(
        self, place: Any, carry: Any, frozen: Any, data: Any, order: Any, partial: bool
    ) -> Any:
        """Pick batch `place` and run the step on it."""
        rows = jax.lax.dynamic_index_in_dim(order, place, keepdims=False)
        mask = rows >= 0 if partial else None
        picked = jnp.maximum(rows, 0) if partial else rows
        batch = jax.tree.map(lambda leaf: leaf.at[picked].get(mode="promise_in_bounds"), data)
        return self._step(carry, frozen, batch, mask)

    def _compile(
        self, carry: Any, frozen: Any, data: Any, order: Any, partial: bool, planned: int
    ) -> Any:
        step_cost = self.cost(carry, frozen, data, order.shape[1], partial)

        def chunk(carry: Any, frozen: Any, data: Any, order: Any, start: Any, count: Any) -> Any:
            if self.loops(step_cost):
                carry = jax.lax.fori_loop(
                    start,
                    start + count,
                    lambda place, carry: self._body(place, carry, frozen, data, order, partial),
                    carry,
                )
            else:
                carry = self._body(start, carry, frozen, data, order, partial)
            return carry, self._results(carry)

        return _build(chunk, step_cost, planned, carry, frozen, data, order, 0, 0)

    def _compile_epochs(
        self, carry: Any, metrics: Any, data: Any, orders: Any, partial: bool, planned: int
    ) -> Any:
        step_cost = self.cost(carry, (), data, orders.shape[2], partial)

        def several(carry: Any, metrics: Any, data: Any, orders: Any, count: Any) -> Any:
            def epoch(place: Any, loop: Any) -> Any:
                carry, found = loop
                order = jax.lax.dynamic_index_in_dim(orders, place, keepdims=False)
                carry = jax.lax.fori_loop(
                    0,
                    order.shape[0],
                    lambda i, carry: self._body(i, carry, (), data, order, partial),
                    carry._replace(metrics=metrics),
                )
                found = jax.tree.map(
                    lambda all_of_them, one: all_of_them.at[place].set(one),
                    found,
                    self._results(carry),
                )
                return carry, found

            shapes = jax.eval_shape(self._results, carry)
            empty = jax.tree.map(
                lambda leaf: jnp.zeros((orders.shape[0], *leaf.shape), leaf.dtype), shapes
            )
            return jax.lax.fori_loop(0, count, epoch, (carry, empty))

        return _build(several, step_cost, planned, carry, metrics, data, orders, 0)


def _build(function: Callable[..., Any], step: Cost, planned: int, *args: Any) -> Any:
    """Compile `function` for these arguments; the first one is given away to it."""
    engine.enable_cache()
    options = engine.compiler_options(engine.forecast(step.flops, planned))
    return (
        jax.jit(function, donate_argnums=0, compiler_options=options or None).lower(*args).compile()
    )


def _signature(data: Any) -> Any:
    leaves, structure = jax.tree.flatten(data)
    return structure, tuple((leaf.shape, str(leaf.dtype)) for leaf in leaves)
