"""`UpdateRule`: an optimizer's hyperparameters and its pure functions; it holds no state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core.names import auto_name, snake_case
from slipstream.optimizers.arguments import Common, as_learning_rate, checked, with_common
from slipstream.optimizers.schedules import wide_float
from slipstream.optimizers.transition import OptimizerState, transition


class UpdateRule:
    """What is pure about an optimizer: see `Optimizer` for the arguments.

    A rule is three functions: `init_slots` (state of one weight), `prepare` (scalars, once a
    step) and `update` (one weight). All that happens around them, from clipping to moving
    averages, is the same for every rule.

    Attributes:
        elementwise: whether the rule treats each element by itself.
        slots: names of the state of each weight, in Keras' order.
        slots_apart: those of the slots that Keras lists after the others of all weights.
        hyperparameters: arguments of the rule that belong in its configuration.
        schedule: what gives the learning rate at a step, or None where a number is in force.
        first_rate: that number at the start.
    """

    elementwise = True
    slots: tuple[str, ...] = ()
    slots_apart: tuple[str, ...] = ()
    hyperparameters: tuple[str, ...] = ()

    @with_common
    def __init__(self, learning_rate: Any, **common: Unpack[Common]) -> None:
        values = checked(common)
        self.name: str = values["name"] or auto_name(snake_case(type(self).__name__))
        self.weight_decay = values["weight_decay"]
        self.clipnorm = values["clipnorm"]
        self.global_clipnorm = values["global_clipnorm"]
        self.clipvalue = values["clipvalue"]
        self.use_ema = values["use_ema"]
        self.ema_momentum = values["ema_momentum"]
        self.ema_overwrite_frequency = values["ema_overwrite_frequency"]
        self.loss_scale_factor = values["loss_scale_factor"]
        self.gradient_accumulation_steps = values["gradient_accumulation_steps"]
        self.schedule = learning_rate if callable(learning_rate) else None
        self.first_rate = 0.0 if self.schedule else as_learning_rate(learning_rate)

    def init_slots(self, param: Any) -> dict[str, Any]:
        """State of one weight at the start: zeros of its shape and type for each slot."""
        return {name: np.zeros(param.shape, jnp.dtype(param.dtype)) for name in self.slots}

    def saved_slots(self, variable: Any) -> dict[str, tuple[str, Any]]:
        """Name of the variable and value at the start for each slot, as Keras saves them.

        A name with a leading underscore is no slot, but has a place in saved files.
        """
        prefix = variable.path.replace("/", "_")
        start = self.init_slots(variable)
        return {name: (f"{prefix}_{name}", value) for name, value in start.items()}

    def init_shared(self, params: Sequence[Any]) -> dict[str, Any]:
        """State that belongs to no single weight, at the start."""
        return {}

    def prepare(
        self, step: Any, learning_rate: Any, shared: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """What every weight's update needs, computed once.

        Args:
            step: int32 scalar, number of this update, from 1.
            learning_rate: float scalar.
            shared: state that belongs to no single weight.

        Returns:
            Coefficients as `update` takes them, and the new `shared`.
        """
        return learning_rate, shared

    def update(
        self, param: Any, grad: Any, slots: dict[str, Any], coefficients: Any
    ) -> tuple[Any, dict[str, Any]]:
        """The rule for one weight, or for many laid end to end if it is elementwise.

        Args:
            param: the weight, float32 at least.
            grad: its gradient, of the same shape and type.
            slots: its state by name.
            coefficients: from `prepare`.

        Returns:
            The new weight and the new slots.
        """
        raise NotImplementedError(f"{type(self).__name__} must define update().")

    def update_all(
        self,
        params: list[Any],
        grads: list[Any],
        slots: list[dict[str, Any]],
        shared: dict[str, Any],
        step: Any,
        learning_rate: Any,
    ) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any]]:
        """The rule for all weights: `prepare`, then `update` for each."""
        coefficients, shared = self.prepare(step, learning_rate, shared)
        done = [
            self.update(param, grad, own, coefficients)
            for param, grad, own in zip(params, grads, slots)
        ]
        return [param for param, _ in done], [own for _, own in done], shared

    def decay_factor(self, slots: dict[str, Any]) -> float | None:
        """Weight decay of a weight with these slots, exclusions apart; None for none."""
        return self.weight_decay

    def learning_rate_at(self, step: Any, stored: Any) -> Any:
        """The learning rate at `step`: the schedule's, else the `stored` one."""
        rate = stored
        if self.schedule is not None:
            rate = self.schedule(step) if _takes_step(self.schedule) else self.schedule()
        return jnp.asarray(rate, wide_float())

    def loss_scale(self, state: OptimizerState) -> Any:
        """What the loss must be multiplied by before it is differentiated; None for nothing.

        `Optimizer.scale_loss` for programs that carry the state themselves.
        """
        return self.loss_scale_factor

    @property
    def packable(self) -> bool:
        """Whether weights may be laid end to end and updated as one flat array."""
        return self.elementwise and not self.clipnorm

    def differentiate(
        self, loss: Callable[[list[Any]], tuple[Any, Any]], params: list[Any]
    ) -> tuple[list[Any], Any]:
        """The gradients that `transition` is to get; a rule may take them elsewhere than here.

        Args:
            loss: ``params -> (loss, beside)``, multiplied by `loss_scale` already.
            params: the weights, in their own shapes.

        Returns:
            A gradient for each weight, and what the loss at `params` gave beside.
        """
        return jax.grad(loss, has_aux=True)(params)

    def transition(
        self,
        params: Sequence[Any],
        grads: Sequence[Any],
        state: OptimizerState,
        decays: Sequence[Any],
    ) -> tuple[list[Any], OptimizerState]:
        """One whole step, pure and traceable.

        In this order: divide by the loss scale, accumulate, clip, decay the weights, apply the
        rule, average the weights, count. Constraints are the caller's.

        Args:
            params: the weights; a packable optimizer takes a list of one flat array too.
            grads: their gradients, of the same shapes.
            state: from `Optimizer.state`, or from the transition before.
            decays: for each weight whether weight decay applies: a bool, or an array of 0 and 1
                of the weight's shape.

        Returns:
            The new weights, of the same types, and the new state.

        Raises:
            ValueError: if numbers or shapes differ.
        """
        return transition(self, params, grads, state, decays)


def _takes_step(schedule: Any) -> bool:
    try:
        return bool(inspect.signature(schedule).parameters)
    except ValueError:  # builtins without a signature
        return True
