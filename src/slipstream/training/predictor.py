"""The program that predicts: outputs for one batch, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from slipstream.core import cost
from slipstream.training.boundary import taken
from slipstream.training.draws import Draws, seed_of
from slipstream.training.state import LiveState


class Predictor:
    """Outputs for a batch from the present values of the variables.

    A model that draws random numbers while predicting gets a seed of the host's generator with
    each batch; other models' programs take none.

    Args:
        step: ``((trainable, non_trainable), x, seed) -> (outputs, states)``.
        live: the values.
        draws: what `step` tells that it draws.
    """

    def __init__(self, step: Callable[..., Any], live: LiveState, draws: Draws) -> None:
        shared: list[bool] = []

        def noting(frozen: Any, x: Any, seed: Any) -> Any:
            outputs, states = step(frozen, x, seed)
            leaves = [id(leaf) for leaf in jax.tree.leaves(outputs)]
            others = {id(leaf) for leaf in jax.tree.leaves((frozen, x, states))}
            shared.append(len(set(leaves) - others) < len(leaves))
            return outputs, states

        def to_host(frozen: Any, x: Any, seed: Any) -> Any:
            outputs, states = noting(frozen, x, seed)
            return jax.device_put(outputs, jax.memory.Space.Host), states

        self._shared = shared  # of each trace
        self.program = jax.jit(noting)
        # On a GPU, fetching small outputs takes longer than the program that they come from,
        # unless it brings them to the host itself.
        fetches = jax.default_backend() == "gpu"
        self._to_host = jax.jit(to_host) if fetches else self.program
        self._live = live
        self._draws: Draws = draws
        self._traced = False

    def __call__(self, x: Any) -> Any:
        """Outputs, on the device. The states of stateful layers move on."""
        return self._run(self.program, x)

    def to_host(self, x: Any) -> Any:
        """The same in memory that the host reads, for NumPy alone: `own` is next."""
        return self._run(self._to_host, x)

    def _run(self, program: Any, x: Any) -> Any:
        state = self._live.current()
        frozen = (state.trainable, state.non_trainable)
        if not self._traced:
            program.trace(frozen, x, None)  # kept, and used by the call
            self._traced = True
        outputs, states = program(frozen, x, seed_of() if self._draws.asked else None)
        if states:
            self._live.publish_states(states)
        return outputs

    @property
    def shares(self) -> bool:
        """Whether an output may be an input too, a state, or another output: no memory to give."""
        return any(self._shared)

    def own(self, outputs: Any) -> Any:
        """A call's outputs as NumPy arrays of the caller's own, large ones as they lie."""
        take = np.array if self.shares else taken
        return take(outputs) if isinstance(outputs, jax.Array) else jax.tree.map(take, outputs)

    def amounts(self, x: Any) -> tuple[float, float]:
        """For a batch of these shapes, floating-point operations and the largest result's bytes."""
        state = self._live.current()
        frozen = (state.trainable, state.non_trainable)
        jaxpr = self.program.trace(frozen, x, None).jaxpr
        return cost.count(jaxpr).flops, cost.largest(jaxpr)
