"""Stochastic gradient descent, and the rules that take only a gradient's direction from it."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp

from slipstream.core.registry import register
from slipstream.optimizers.arguments import Common, with_common
from slipstream.optimizers.base import Optimizer


@register("optimizer")
class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    ``v = momentum * v - learning_rate * g`` and ``w = w + v``; with Nesterov's momentum
    ``w = w + momentum * v - learning_rate * g`` (Sutskever et al., 2013).

    Args:
        learning_rate: as in `Optimizer`.
        momentum: how much of the last update stays, in [0, 1].
        nesterov: whether to look ahead by the momentum.
        **common: as in `Optimizer`.

    Raises:
        ValueError: if `momentum` is out of range.
    """

    hyperparameters = ("momentum", "nesterov")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1]; got {momentum}.")
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots = ("momentum",) if momentum else ()

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        step = grad * coefficients
        if not slots:
            return param - step, {}
        velocity = slots["momentum"] * self.momentum - step
        ahead = velocity * self.momentum - step if self.nesterov else velocity
        return param + ahead, {"momentum": velocity}


@register("optimizer")
class Lion(Optimizer):
    """The sign of a moving average of gradients (Chen et al., 2023).

    Args:
        learning_rate: as in `Optimizer`; a tenth to a third of Adam's is usual.
        beta_1: how much of the average counts in the update, in (0, 1].
        beta_2: how much of the average stays.
        **common: as in `Optimizer`.

    Raises:
        ValueError: if `beta_1` is out of range.
    """

    slots = ("momentum",)
    hyperparameters = ("beta_1", "beta_2")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                f"beta_1 must lie in (0, 1]; got {beta_1}. At 0 the momentum would not count."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        momentum = slots["momentum"]
        direction = jnp.sign(momentum * self.beta_1 + grad * (1 - self.beta_1))
        momentum = momentum * self.beta_2 + grad * (1 - self.beta_2)
        return param - coefficients * direction, {"momentum": momentum}
