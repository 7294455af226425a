"""The program that predicts: outputs for one batch, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from slipstream.core import cost
from slipstream.training.draws import Draws, seed_of
from slipstream.training.state import LiveState

FEW = 65_536  # elements


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
        self.program = jax.jit(step)
        self._live = live
        self._draws: Draws = draws
        self._traced = False
        self._seen: Any = None  # the state that `_trainable` belongs to
        self._trainable: list[Any] = []
        self._unpack = jax.jit(live.packing.unpack)

    def _frozen(self) -> tuple[list[Any], list[Any]]:
        """The present values. Weights are taken apart once, not in each call, unless they are few.

        A few small arrays cost a call more than their copies do.
        """
        state, packing = self._live.current(), self._live.packing
        if not packing.active or packing.ends[-1] <= FEW:
            return state.trainable, state.non_trainable
        if state is not self._seen:
            self._trainable, self._seen = self._unpack(state.trainable), state
        return self._trainable, state.non_trainable

    def __call__(self, x: Any) -> Any:
        """Outputs, on the device. The states of stateful layers move on."""
        frozen = self._frozen()
        if not self._traced:
            self.program.trace(frozen, x, None)  # kept, and used by the call
            self._traced = True
        outputs, states = self.program(frozen, x, seed_of() if self._draws.asked else None)
        if states:
            self._live.publish_states(states)
        return outputs

    def flops(self, x: Any) -> float:
        """Floating-point operations for a batch of these shapes."""
        return cost.count(self.program.trace(self._frozen(), x, None).jaxpr).flops
