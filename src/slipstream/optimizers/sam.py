"""`SAM`: gradients from the worst place nearby, so that training ends in flat minima."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp

from slipstream.core import registry
from slipstream.core.names import auto_name
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.optimizers.base import Optimizer
from slipstream.optimizers.optax import OptaxOptimizer, is_transformation
from slipstream.optimizers.transition import OptimizerState


@register("optimizer")
class SAM(Optimizer):
    """Another optimizer with sharpness-aware gradients (Foret et al., 2021).

    A step moves the weights by `rho` along their gradient, to where the loss is about highest
    nearby, takes the gradient there, and lets the inner optimizer apply it to the weights as they
    were. It costs two gradients a step. Loss, metrics and moving statistics are those of the
    first.

    Options (clipping, weight decay, averages, accumulation) are the inner optimizer's. A
    `train_step` of your own takes its gradients from `differentiate`.

    Args:
        inner_optimizer: what applies the gradients: a name, an optimizer or an optax
            transformation.
        rho: length of the move, over all weights together.
        adaptive: measure the move relative to the size of each weight (Kwon et al., 2021), which
            wants a `rho` some ten times as large.
        name: automatic if not given.

    Raises:
        ValueError: if `inner_optimizer` means nothing or is a `SAM`, or `rho` is not positive.
    """

    def __init__(
        self,
        inner_optimizer: Any = "sgd",
        rho: float = 0.05,
        adaptive: bool = False,
        name: str | None = None,
    ) -> None:
        # All state is the inner optimizer's: see the attributes handed on below.
        if is_transformation(inner_optimizer):
            inner_optimizer = OptaxOptimizer(inner_optimizer)
        inner = registry.resolve("optimizer", inner_optimizer)
        if not isinstance(inner, Optimizer) or isinstance(inner, SAM):
            raise ValueError(f"SAM wraps another optimizer; got {inner_optimizer!r}.")
        if isinstance(rho, bool) or not 0 < rho < float("inf"):
            raise ValueError(f"SAM: rho must be a positive number; got {rho!r}. Usual is 0.05.")
        self.inner_optimizer = inner
        self.rho = rho
        self.adaptive = adaptive
        self.name = name or auto_name("sam")
        self._chosen = None
        self._taken = False  # whether the gradients that come next are from `differentiate`

    def differentiate(
        self, loss: Callable[[list[Any]], tuple[Any, Any]], params: list[Any]
    ) -> tuple[list[Any], Any]:
        """See `UpdateRule.differentiate`: the gradients at the worst place nearby."""
        gradients, beside = jax.grad(loss, has_aux=True)(params)
        moved = [param + move for param, move in zip(params, self.moves(params, gradients))]
        self._taken = True
        return jax.grad(loss, has_aux=True)(moved)[0], beside

    def moves(self, params: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        """How far each weight goes to reach the worst place nearby."""
        wide = [jnp.asarray(grad, jnp.promote_types(grad.dtype, "float32")) for grad in gradients]
        sizes: list[Any] = [jnp.abs(p) for p in params] if self.adaptive else [1.0] * len(wide)
        directions = [size * grad for size, grad in zip(sizes, wide)]
        # Out of the largest first: squares of a scaled float32 loss would overflow.
        most = jnp.max(jnp.stack([jnp.max(jnp.abs(d), initial=0.0) for d in directions]))
        most = jnp.maximum(most, jnp.finfo("float32").tiny)
        norm = jnp.sqrt(sum(jnp.sum(jnp.square(d / most)) for d in directions))
        scale = self.rho / jnp.maximum(norm, 1e-12)
        return [
            (size * (direction / most) * scale).astype(param.dtype)
            for size, direction, param in zip(sizes, directions, params)
        ]

    def transition(
        self,
        params: Sequence[Any],
        grads: Sequence[Any],
        state: OptimizerState,
        decays: Sequence[Any],
    ) -> tuple[list[Any], OptimizerState]:
        """See `UpdateRule.transition`.

        Raises:
            ValueError: if the gradients are not from `differentiate`.
        """
        if not self._taken:
            raise ValueError(
                f"Optimizer {self.name!r} needs the gradients of a loss twice. Take them from "
                "optimizer.differentiate(loss, values), in the place of jax.grad."
            )
        self._taken = False
        inner = self.inner_optimizer
        inner._chosen = self._chosen
        try:
            return inner.transition(params, grads, state, decays)
        finally:
            inner._chosen = None

    # ---- what the inner optimizer does -------------------------------------------------------

    def build(self, variables: Sequence[Variable]) -> None:
        """See `Optimizer.build`."""
        self.inner_optimizer.build(variables)

    def loss_scale(self, state: OptimizerState) -> Any:
        """See `UpdateRule.loss_scale`."""
        return self.inner_optimizer.loss_scale(state)

    def scale_loss(self, loss: Any) -> Any:
        """See `Optimizer.scale_loss`."""
        return self.inner_optimizer.scale_loss(loss)

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """See `Optimizer.exclude_from_weight_decay`."""
        self.inner_optimizer.exclude_from_weight_decay(var_list, var_names)

    def decays(self, variables: Sequence[Variable]) -> list[bool]:
        """See `Optimizer.decays`."""
        return self.inner_optimizer.decays(variables)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """See `Optimizer.finalize_variable_values`."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        return {
            "name": self.name,
            "inner_optimizer": registry.serialize(self.inner_optimizer),
            "rho": self.rho,
            "adaptive": self.adaptive,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer with these arguments."""
        inner = registry.deserialize(config["inner_optimizer"], custom_objects, kind="optimizer")
        return cls(**{**config, "inner_optimizer": inner})


def _handed_on(name: str) -> Any:
    def get(self: SAM) -> Any:
        return getattr(self.inner_optimizer, name)

    def put(self: SAM, value: Any) -> None:
        setattr(self.inner_optimizer, name, value)

    return property(get, put, doc=f"The inner optimizer's `{name}`.")


for _name in (
    "_own", "built", "clipnorm", "clipvalue", "ema_momentum", "ema_overwrite_frequency",
    "global_clipnorm", "gradient_accumulation_steps", "iterations", "learning_rate",
    "loss_scale_factor", "packable", "schedule", "use_ema", "variables", "weight_decay",
):  # fmt: skip
    setattr(SAM, _name, _handed_on(_name))
