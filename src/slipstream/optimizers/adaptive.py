"""Rules that divide by a running size of the gradient: Adagrad, Adadelta, RMSprop and FTRL."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.optimizers.arguments import Common, with_common
from slipstream.optimizers.base import Optimizer


@register("optimizer")
class RMSprop(Optimizer):
    """Gradient over the root of a moving average of its square (Tieleman & Hinton, 2012).

    Args:
        learning_rate: as in `Optimizer`.
        rho: how much of the average stays at each step.
        momentum: how much of the last update stays.
        epsilon: keeps the division finite; added under the root.
        centered: whether to divide by the variance instead of the second moment.
        **common: as in `Optimizer`.
    """

    hyperparameters = ("rho", "momentum", "epsilon", "centered")
    slots_apart = ("momentum", "average_gradient")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        wanted = (momentum > 0, centered)
        apart = tuple(name for name, wants in zip(self.slots_apart, wanted) if wants)
        self.slots = ("velocity", *apart)

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        velocity = self.rho * slots["velocity"] + (1 - self.rho) * jnp.square(grad)
        new, spread = {"velocity": velocity}, velocity
        if self.centered:
            mean = self.rho * slots["average_gradient"] + (1 - self.rho) * grad
            new["average_gradient"] = mean
            spread = velocity - jnp.square(mean)
        step = coefficients * grad / jnp.sqrt(spread + self.epsilon)
        if "momentum" in slots:
            new["momentum"] = step = self.momentum * slots["momentum"] + step
        return param - step, new


@register("optimizer")
class Adagrad(Optimizer):
    """Gradient over the root of the sum of its squares (Duchi et al., 2011).

    Args:
        learning_rate: as in `Optimizer`.
        initial_accumulator_value: the sum at the start.
        epsilon: keeps the division finite; added under the root.
        **common: as in `Optimizer`.
    """

    slots = ("accumulator",)
    hyperparameters = ("initial_accumulator_value", "epsilon")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def init_slots(self, param: Any) -> dict[str, Any]:
        """See `UpdateRule.init_slots`."""
        return {"accumulator": _filled(param, self.initial_accumulator_value)}

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        total = slots["accumulator"] + jnp.square(grad)
        param = param - coefficients * grad / jnp.sqrt(total + self.epsilon)
        return param, {"accumulator": total}


@register("optimizer")
class Adadelta(Optimizer):
    """Steps in the unit of the weights: running sizes of updates over those of gradients.

    Reference: Zeiler, 2012.

    Args:
        learning_rate: as in `Optimizer`; the paper's rule has 1.
        rho: how much of the averages stays at each step.
        epsilon: keeps the first steps above zero and the division finite.
        **common: as in `Optimizer`.
    """

    slots = ("accumulated_grad", "accumulated_delta_var")
    hyperparameters = ("rho", "epsilon")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = rho
        self.epsilon = epsilon

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        of_grads, of_deltas = slots["accumulated_grad"], slots["accumulated_delta_var"]
        of_grads = self.rho * of_grads + (1 - self.rho) * jnp.square(grad)
        delta = -jnp.sqrt(of_deltas + self.epsilon) * grad / jnp.sqrt(of_grads + self.epsilon)
        of_deltas = self.rho * of_deltas + (1 - self.rho) * jnp.square(delta)
        new = {"accumulated_grad": of_grads, "accumulated_delta_var": of_deltas}
        return param + coefficients * delta, new


@register("optimizer")
class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse linear models (McMahan et al., 2013).

    Args:
        learning_rate: as in `Optimizer`.
        learning_rate_power: how the rate falls with the sum of squares; at most 0.
        initial_accumulator_value: the sum at the start.
        l1_regularization_strength: pulls weights to zero exactly.
        l2_regularization_strength: pulls weights towards zero.
        l2_shrinkage_regularization_strength: the same, through the gradient.
        beta: beta of the paper.
        **common: as in `Optimizer`.

    Raises:
        ValueError: if `learning_rate_power` is positive or one of the others negative.
    """

    slots = ("accumulator", "linear")
    hyperparameters = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        if learning_rate_power > 0:
            raise ValueError(f"learning_rate_power must be at most 0; got {learning_rate_power}.")
        for name in self.hyperparameters[1:-1]:
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be at least 0; got {getattr(self, name)}.")

    def init_slots(self, param: Any) -> dict[str, Any]:
        """See `UpdateRule.init_slots`."""
        start = _filled(param, self.initial_accumulator_value)
        return {"accumulator": start, "linear": np.zeros_like(start)}

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, l1 = coefficients, self.l1_regularization_strength
        total = slots["accumulator"] + jnp.square(grad)
        before, after = (
            jnp.power(size, -self.learning_rate_power) for size in (slots["accumulator"], total)
        )
        shrunk = grad + 2 * self.l2_shrinkage_regularization_strength * param
        linear = slots["linear"] + shrunk - (after - before) / rate * param
        quadratic = after / rate + 2 * (self.l2_regularization_strength + self.beta / (2 * rate))
        param = (jnp.clip(linear, -l1, l1) - linear) / quadratic
        return param, {"accumulator": total, "linear": linear}


def _filled(param: Any, value: float) -> np.ndarray:
    return np.full(param.shape, value, jnp.dtype(param.dtype))
