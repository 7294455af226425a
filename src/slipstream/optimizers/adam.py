"""Adam and its kin: first and second moments of the gradient (Kingma & Ba, 2014)."""

from __future__ import annotations

from typing import Any, Unpack

import jax.numpy as jnp
import numpy as np

from slipstream.core.registry import register
from slipstream.kernels.adam import adam, adam_step, moments
from slipstream.optimizers.arguments import Common, Options, with_common
from slipstream.optimizers.base import Optimizer
from slipstream.optimizers.schedules import wide_float


class Moments(Optimizer):
    """Base of the rules with Adam's arguments and slots."""

    slots: tuple[str, ...] = ("momentum", "velocity")
    hyperparameters: tuple[str, ...] = ("beta_1", "beta_2", "epsilon")

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


def filled(beta: float, step: Any, learning_rate: Any) -> Any:
    """What part of a moving average that began at zero has been filled after `step` steps."""
    return 1 - jnp.power(beta, step.astype(learning_rate.dtype))


def adam_rate(beta_1: float, beta_2: float, step: Any, learning_rate: Any) -> Any:
    """The learning rate with the bias corrections of both moments."""
    root = jnp.sqrt(filled(beta_2, step, learning_rate))
    return learning_rate * root / filled(beta_1, step, learning_rate)


@register("optimizer")
class Adam(Moments):
    """Adam (Kingma & Ba, 2014), with the largest second moment so far if `amsgrad`.

    ``w = w - rate * m / (sqrt(v) + epsilon)`` with both bias corrections in the rate.

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: how much of the average of gradients stays at each step.
        beta_2: how much of the average of their squares stays.
        epsilon: keeps the division finite; "epsilon hat" of the paper.
        amsgrad: whether to divide by the largest second moment seen (Reddi et al., 2018).
        **common: as in `Optimizer`.
    """

    hyperparameters = (*Moments.hyperparameters, "amsgrad")
    slots_apart = ("velocity_hat",)

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **common)
        self.amsgrad = amsgrad
        if amsgrad:
            self.slots = (*self.slots, *self.slots_apart)

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: the learning rate with both bias corrections."""
        return adam_rate(self.beta_1, self.beta_2, step, learning_rate), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        old, shares = (slots["momentum"], slots["velocity"]), (1 - self.beta_1, 1 - self.beta_2)
        if not self.amsgrad:
            param, *new = adam(param, grad, *old, coefficients, *shares, self.epsilon)
            return param, dict(zip(self.slots, new))
        momentum, velocity = moments(grad, *old, *shares)
        largest = jnp.maximum(slots["velocity_hat"], velocity)
        param = adam_step(param, momentum, largest, coefficients, self.epsilon)
        return param, dict(zip(self.slots, (momentum, velocity, largest)))


@register("optimizer")
class AdamW(Adam):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2017).

    Args:
        learning_rate: as in `Optimizer`.
        weight_decay: as in `Optimizer`, but needed.
        beta_1: as in `Adam`.
        beta_2: as in `Adam`.
        epsilon: as in `Adam`.
        amsgrad: as in `Adam`.
        **options: as in `Optimizer`.

    Raises:
        ValueError: if `weight_decay` is None.
    """

    @with_common
    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Unpack[Options],
    ) -> None:
        if weight_decay is None:
            raise ValueError("weight_decay of AdamW must be a number; got None. Use Adam instead.")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )


@register("optimizer")
class Nadam(Moments):
    """Adam with Nesterov's momentum (Dozat, 2015).

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: as in `Adam`; it rises to this value over the first steps.
        beta_2: as in `Adam`.
        epsilon: as in `Adam`.
        **common: as in `Optimizer`.
    """

    def init_shared(self, params: Any) -> dict[str, Any]:
        """The product of the momenta of all steps so far."""
        return {"u_product": np.ones((), wide_float())}

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: shares of momentum and gradient, and a bias correction."""
        count = step.astype(learning_rate.dtype)
        now = self.beta_1 * (1 - 0.5 * jnp.power(0.96, count))
        following = self.beta_1 * (1 - 0.5 * jnp.power(0.96, count + 1))
        product = shared["u_product"] * now
        of_momentum = following / (1 - product * following)
        of_gradient = (1 - now) / (1 - product)
        part = filled(self.beta_2, step, learning_rate)
        # Rounded as the bias correction rounds them, and as Keras does.
        shares = tuple(1 - jnp.asarray(b, count.dtype) for b in (self.beta_1, self.beta_2))
        return (learning_rate, of_momentum, of_gradient, part, shares), {"u_product": product}

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, of_momentum, of_gradient, part, shares = coefficients
        momentum, velocity = moments(grad, slots["momentum"], slots["velocity"], *shares)
        direction = of_momentum * momentum + of_gradient * grad
        param = param - direction * rate / (jnp.sqrt(velocity / part) + self.epsilon)
        return param, {"momentum": momentum, "velocity": velocity}


@register("optimizer")
class Adamax(Moments):
    """Adam with the infinity norm of the gradients in place of their second moment.

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: as in `Adam`.
        beta_2: how much of the norm stays at each step.
        epsilon: as in `Adam`.
        **common: as in `Optimizer`.
    """

    slots = ("momentum", "norm")

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: the learning rate with the bias correction."""
        return learning_rate / filled(self.beta_1, step, learning_rate), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        momentum = slots["momentum"] + (grad - slots["momentum"]) * (1 - self.beta_1)
        norm = jnp.maximum(self.beta_2 * slots["norm"], jnp.abs(grad))
        param = param - coefficients * momentum / (norm + self.epsilon)
        return param, {"momentum": momentum, "norm": norm}


@register("optimizer")
class Lamb(Moments):
    """Adam with each weight's step in proportion to the weight's norm (You et al., 2019).

    Args:
        learning_rate: as in `Optimizer`.
        beta_1: as in `Adam`.
        beta_2: as in `Adam`.
        epsilon: as in `Adam`.
        **common: as in `Optimizer`.
    """

    elementwise = False

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.prepare`: the learning rate and the bias corrections."""
        parts = (filled(beta, step, learning_rate) for beta in (self.beta_1, self.beta_2))
        return (learning_rate, *parts), shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """See `UpdateRule.update`."""
        rate, first, second = coefficients
        momentum, velocity = moments(
            grad, slots["momentum"], slots["velocity"], 1 - self.beta_1, 1 - self.beta_2
        )
        direction = momentum / first / (jnp.sqrt(velocity / second) + self.epsilon)
        size, length = (jnp.sqrt(jnp.sum(jnp.square(array))) for array in (param, direction))
        # A zero on either side means the norms say nothing: take a plain step.
        plain = (size == 0) | (length == 0)
        ratio = jnp.where(plain, 1.0, size / jnp.where(plain, 1.0, length))
        return param - ratio * rate * direction, {"momentum": momentum, "velocity": velocity}
