"""`LossScaleOptimizer`: keeps small gradients of float16 models from vanishing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.optimizers.base import Optimizer
from slipstream.optimizers.holder import StateVariables
from slipstream.optimizers.transition import OptimizerState, choose


@register("optimizer")
class LossScaleOptimizer(Optimizer):
    """Another optimizer with a loss scale that follows the gradients.

    The loss is multiplied by the scale and the gradients are divided by it. After
    `dynamic_growth_steps` steps of finite gradients the scale doubles; where a gradient is not
    finite the step is left out and the scale halves (Micikevicius et al., 2017).

    Args:
        inner_optimizer: what applies the gradients; its options stay in force.
        initial_scale: the scale at the start.
        dynamic_growth_steps: finite steps in a row until the scale doubles.
        name: automatic if not given.

    Raises:
        ValueError: if `inner_optimizer` is no optimizer or has a loss scale of its own, or
            `dynamic_growth_steps` is less than 1.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
    ) -> None:
        if not isinstance(inner_optimizer, Optimizer):
            raise ValueError(f"inner_optimizer must be an optimizer; got {inner_optimizer!r}.")
        if inner_optimizer.loss_scale(inner_optimizer.state()) is not None:
            raise ValueError(
                f"Optimizer {inner_optimizer.name!r} has a loss scale of its own. Create it "
                "without loss_scale_factor."
            )
        if dynamic_growth_steps < 1:
            raise ValueError(
                f"dynamic_growth_steps must be at least 1; got {dynamic_growth_steps}."
            )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        self._own = _ScaledState(self)

    @property
    def packable(self) -> bool:
        """See `UpdateRule.packable`."""
        return self.inner_optimizer.packable

    def init_shared(self, params: Sequence[Any]) -> dict[str, Any]:
        """Finite steps since the scale last changed, and the scale."""
        return {
            "step_counter": np.zeros((), "int32"),
            "dynamic_scale": np.asarray(self.initial_scale, "float32"),
        }

    def loss_scale(self, state: OptimizerState) -> Any:
        """See `UpdateRule.loss_scale`."""
        return state.shared.get("dynamic_scale", self.initial_scale)

    def differentiate(
        self, loss: Callable[[list[Any]], tuple[Any, Any]], params: list[Any]
    ) -> tuple[list[Any], Any]:
        """See `UpdateRule.differentiate`."""
        return self.inner_optimizer.differentiate(loss, params)

    def transition(
        self,
        params: Sequence[Any],
        grads: Sequence[Any],
        state: OptimizerState,
        decays: Sequence[Any],
    ) -> tuple[list[Any], OptimizerState]:
        """See `UpdateRule.transition`; all stays as it was where a gradient is not finite."""
        shared = dict(state.shared)
        counter, scale = (jnp.asarray(shared.pop(n)) for n in ("step_counter", "dynamic_scale"))

        def take(params: Any, grads: Any, state: Any) -> Any:
            grads = [grad / scale for grad in grads]
            return self.inner_optimizer.transition(params, grads, state, decays)

        def leave(params: Any, grads: Any, state: Any) -> Any:
            return params, state

        finite = jnp.array([jnp.all(jnp.isfinite(grad)) for grad in grads]).all()
        inner = state._replace(shared=shared)
        carried = jax.tree.map(jnp.asarray, (list(params), list(grads), inner))
        values, inner = choose(finite, take, leave, *carried)
        grows = counter + 1 == self.dynamic_growth_steps
        scales = {
            "step_counter": jnp.where(finite & ~grows, counter + 1, 0),
            "dynamic_scale": scale * jnp.where(finite, jnp.where(grows, 2.0, 1.0), 0.5),
        }
        return values, inner._replace(shared={**inner.shared, **scales})

    # ---- what the inner optimizer decides ----------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """That of the inner optimizer."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        """Number of updates so far, those left out not counted."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss to differentiate, multiplied by the current scale."""
        return loss * self.loss_scale(self.state())

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
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer with these arguments."""
        inner = registry.deserialize(config["inner_optimizer"], custom_objects, kind="optimizer")
        return cls(**{**config, "inner_optimizer": inner})


class _ScaledState(StateVariables):
    """The inner optimizer's state and, as shared state, the loss scale."""

    rule: LossScaleOptimizer

    def build(self, weights: Sequence[Variable]) -> None:
        super().build([])
        inner = self.rule.inner_optimizer
        inner.build(weights)
        self.weights, self.places = inner._own.weights, inner._own.places

    def listed(self) -> list[Variable]:
        return [*super().listed(), *self.rule.inner_optimizer.variables]

    def read(self, places: Sequence[int]) -> OptimizerState:
        state = self.rule.inner_optimizer._own.read(places)
        return state._replace(shared={**state.shared, **super().read([]).shared})

    def write(self, places: Sequence[int], state: OptimizerState) -> None:
        shared = dict(state.shared)
        for name, variable in self.shared.items():
            variable.assign(shared.pop(name))
        self.rule.inner_optimizer._own.write(places, state._replace(shared=shared))
