"""`ScheduleFreeAdamW`: an average of the weights in the place of a schedule."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.optimizers.adam import filled
from slipstream.optimizers.arguments import Common, with_common
from slipstream.optimizers.base import Optimizer


@register("optimizer")
class ScheduleFreeAdamW(Optimizer):
    """AdamW that needs no schedule (Defazio et al., 2024).

    Gradients are taken at ``y = (1 - beta_1) * z + beta_1 * x``, which is what the weights hold;
    ``z`` takes Adam's steps without momentum, and ``x`` is the mean of all ``z``. Only ``y`` and
    ``z`` (the slot "momentum") are kept.

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: how much of the mean is in the weights.
        beta_2: how much of the average of squared gradients stays at each step.
        epsilon: keeps the division finite.
        warmup_steps: steps over which the learning rate rises to its value.
        **common: as in `Optimizer`.
    """

    slots = ("momentum", "velocity")
    hyperparameters = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def init_slots(self, param: Any) -> dict[str, Any]:
        """``z``, which starts at the weight, and the second moment."""
        zeros = np.zeros(param.shape, jnp.dtype(param.dtype))
        return {"momentum": np.array(param), "velocity": zeros}

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: learning rate, share of the newest ``z``, bias correction."""
        count = step.astype(learning_rate.dtype)
        if self.warmup_steps:
            learning_rate = learning_rate * jnp.minimum(count / self.warmup_steps, 1)
        # Rounded as the bias correction rounds it, and as Keras does.
        new = 1 - jnp.asarray(self.beta_2, count.dtype)
        return (learning_rate, 1 / count, new, filled(self.beta_2, step, learning_rate)), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, share, new, part = coefficients
        z = slots["momentum"]
        velocity = slots["velocity"] + (jnp.square(grad) - slots["velocity"]) * new
        step = rate * grad / (jnp.sqrt(velocity / part) + self.epsilon)
        # What follows from the means before and after, without finding them.
        param = param + share * (z - param) + (self.beta_1 * (1 - share) - 1) * step
        return param, {"momentum": z - step, "velocity": velocity}
