"""The program that predicts: outputs for one batch, whatever its size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from slipstream.core import cost
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
        self.program = jax.jit(step)
        self._live = live
        self._draws: Draws = draws
        self._traced = False

    def __call__(self, x: Any) -> Any:
        """Outputs, on the device. The states of stateful layers move on."""
        state = self._live.current()
        frozen = (state.trainable, state.non_trainable)
        if not self._traced:
            self.program.trace(frozen, x, None)  # kept, and used by the call
            self._traced = True
        outputs, states = self.program(frozen, x, seed_of() if self._draws.asked else None)
        if states:
            self._live.publish_states(states)
        return outputs

    def flops(self, x: Any) -> float:
        """Floating-point operations for a batch of these shapes."""
        state = self._live.current()
        frozen = (state.trainable, state.non_trainable)
        return cost.count(self.program.trace(frozen, x, None).jaxpr).flops
