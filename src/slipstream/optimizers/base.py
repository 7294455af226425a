"""`Optimizer`: an update rule with Keras' face, and the variables that hold its state."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self, Unpack

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import registry
from slipstream.core.names import auto_name
from slipstream.core.scope import Scope
from slipstream.core.variable import Variable
from slipstream.optimizers import by_variable
from slipstream.optimizers.arguments import Common, as_learning_rate, with_common
from slipstream.optimizers.holder import StateVariables
from slipstream.optimizers.rule import UpdateRule
from slipstream.optimizers.transition import OptimizerState


class Optimizer(UpdateRule):
    """Base of all optimizers.

    A subclass defines `slots` and `update`, and `prepare` if need be; or, as in Keras, creates
    variables in `build` with `add_variable_from_reference` and assigns to them and to the weight
    in `update_step`.

    Args:
        learning_rate: a number, a `LearningRateSchedule`, or a callable that takes the number of
            gradients seen, or nothing.
        weight_decay: this fraction of each weight, times the learning rate, is taken off it
            before the update.
        clipnorm: highest norm of the gradient of each weight.
        clipvalue: highest absolute value in a gradient.
        global_clipnorm: highest norm of all gradients together.
        use_ema: whether to keep a moving average of each weight.
        ema_momentum: how much of the average stays at each step.
        ema_overwrite_frequency: number of updates after which weights become their averages;
            None for only at the end of training.
        loss_scale_factor: the loss is multiplied by it and the gradients are divided by it.
        gradient_accumulation_steps: number of gradients that are averaged into one update.
        name: automatic if not given.

    Raises:
        ValueError: if arguments contradict each other or are out of range.
    """

    @with_common
    def __init__(self, learning_rate: Any, **common: Unpack[Common]) -> None:
        super().__init__(learning_rate, **common)
        self.built = False
        self._own = StateVariables(self)
        self._chosen: Sequence[int] | None = None
        self._excluded: set[int] = set()
        self._excluded_names: re.Pattern[str] | None = None

    # ---- learning rate and count -------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The `Variable` that holds it or, under a schedule, its value at this step.

        It can be set to a number, or to a schedule or callable that is in force from then on.

        Raises:
            TypeError: when set to a number while a schedule is in force.
        """
        if self.schedule is None:
            return self._own.learning_rate
        return self.learning_rate_at(self._own.iterations.value, None)

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if callable(value):
            self.schedule = value
        elif self.schedule is not None:
            raise TypeError(
                f"The learning rate of {self.name!r} follows a schedule, so it cannot be set to "
                f"{value!r}. Create the optimizer with a number, or set another schedule."
            )
        else:
            traced = isinstance(value, jax.core.Tracer)
            self._own.learning_rate.assign(value if traced else as_learning_rate(value))

    @property
    def iterations(self) -> Any:
        """Number of updates so far."""
        many = self.gradient_accumulation_steps
        return self._own.iterations.value // many if many else self._own.iterations

    # ---- state -------------------------------------------------------------------------------

    def build(self, variables: Sequence[Variable]) -> None:
        """Create the state for these weights; a second call does nothing."""
        if not self.built:
            self._own.build(variables)
            self.built = True

    @property
    def variables(self) -> list[Variable]:
        """All state, in the order in which Keras saves it."""
        return self._own.listed()

    def state(self) -> OptimizerState:
        """The current values of all state, for the weights of `build` in their order."""
        return self._own.read(range(len(self._own.places)))

    def assign_state(self, state: OptimizerState) -> None:
        """Write back what `state` gave and `transition` changed."""
        self._own.write(range(len(self._own.places)), state)

    # ---- rules written a variable at a time --------------------------------------------------

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """Create a variable of the optimizer's own, saved with it."""
        name = name or auto_name("variable")
        return self._own.add(
            Variable(
                initializer,
                shape=shape,
                dtype=dtype,
                trainable=False,
                aggregation=aggregation,
                name=name,
                path=f"{self.name}/{name}",
            )
        )

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Variable:
        """Create a variable of the shape and type of a weight, named after both."""
        weight = reference_variable
        name = f"{weight.path.replace('/', '_')}_{name or 'var'}"
        return self.add_variable(weight.shape, initializer, weight.dtype, name=name)

    def add_optimizer_variables(
        self, trainable_variables: Sequence[Variable], name: Any, initializer: Any = "zeros"
    ) -> list[Any]:
        """`add_variable_from_reference` for each weight: a list; for several names, a list each."""
        if isinstance(name, str):
            return [
                self.add_variable_from_reference(weight, name, initializer)
                for weight in trainable_variables
            ]
        several = isinstance(initializer, (list, tuple))
        starts = initializer if several else [initializer] * len(name)
        return [
            self.add_optimizer_variables(trainable_variables, each, start)
            for each, start in zip(name, starts)
        ]

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one weight and what belongs to it. A subclass may put its own rule here."""
        by_variable.update_one(self, gradient, variable, learning_rate)

    def update_all(
        self,
        params: list[Any],
        grads: list[Any],
        slots: list[dict[str, Any]],
        shared: dict[str, Any],
        step: Any,
        learning_rate: Any,
    ) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any]]:
        """See `UpdateRule.update_all`."""
        if self._steps_itself:
            return by_variable.update_all(self, params, grads, slots, shared, step, learning_rate)
        params, slots, new = super().update_all(params, grads, slots, shared, step, learning_rate)
        return params, slots, {**shared, **new}

    @property
    def _steps_itself(self) -> bool:
        return type(self).update_step is not Optimizer.update_step

    @property
    def packable(self) -> bool:
        """See `UpdateRule.packable`."""
        return super().packable and not self._steps_itself

    def _get_variable_index(self, variable: Variable) -> int:
        """Place of a weight among those of `build`."""
        return next(i for i, weight in enumerate(self._own.weights) if weight is variable)

    def assign(self, variable: Variable, value: Any) -> None:
        """Replace a variable's value."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable's value."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable's value."""
        variable.assign_sub(value)

    @property
    def chosen(self) -> Sequence[int]:
        """Places of the weights that this update is for."""
        return range(len(self._own.places)) if self._chosen is None else self._chosen

    # ---- applying ----------------------------------------------------------------------------

    def apply(
        self, grads: Iterable[Any], trainable_variables: Sequence[Variable] | None = None
    ) -> None:
        """Update weights by their gradients, then project each by its constraint.

        Args:
            grads: a gradient for each weight; a weight whose gradient is None is left alone.
            trainable_variables: the weights, all those of `build` if not given. The optimizer is
                built for them if it is not built yet.

        Raises:
            ValueError: if numbers or shapes differ, all gradients are None, or the optimizer was
                built for other weights.
        """
        grads = list(grads)
        if trainable_variables is None:
            if not self.built:
                raise ValueError(
                    f"Optimizer {self.name!r} is not built. Call build(variables) first, or pass "
                    "trainable_variables."
                )
            variables = self._own.weights
        else:
            variables = list(trainable_variables)
            self.build(variables)
        if len(grads) != len(variables):
            raise ValueError(
                f"Optimizer {self.name!r} got {len(grads)} gradients for {len(variables)} weights."
                " Pass one gradient, or None, for each weight."
            )
        if not grads:
            return
        missing = [v.path for v, grad in zip(variables, grads) if grad is None]
        if len(missing) == len(grads):
            raise ValueError(
                f"All gradients are None, so optimizer {self.name!r} has nothing to apply. Does "
                "the loss depend on the weights?"
            )
        if missing:
            warnings.warn(
                f"No gradient for {', '.join(missing)}: left unchanged. Does the loss depend on "
                "them?",
                stacklevel=2,
            )
        given = [(v, grad) for v, grad in zip(variables, grads) if grad is not None]
        for variable, grad in given:
            if variable.overwrite_with_gradient:
                variable.assign(grad)
        self._apply([(v, grad) for v, grad in given if not v.overwrite_with_gradient])
        for variable, _ in given:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))

    def _apply(self, given: list[tuple[Variable, Any]]) -> None:
        for variable, grad in given:
            if id(variable) not in self._own.places:
                raise ValueError(
                    f"Optimizer {self.name!r} was not built for {variable.path!r}. Create a new "
                    "optimizer for new weights, or build it for all of them at once."
                )
            if jnp.shape(grad) != variable.shape:
                raise ValueError(
                    f"The gradient of {variable.path!r} has shape {jnp.shape(grad)}; the weight "
                    f"has shape {variable.shape}. Pass gradients in the order of the weights."
                )
        variables = [variable for variable, _ in given]
        places = [self._own.places[id(variable)] for variable in variables]
        self._chosen = places
        try:
            values, state = self.transition(
                [variable.value for variable in variables],
                [jnp.asarray(grad) for _, grad in given],
                self._own.read(places),
                self.decays(variables),
            )
        finally:
            self._chosen = None
        self._own.write(places, state)
        for variable, value in zip(variables, values):
            variable.assign(value)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """`apply` for pairs of gradient and weight; returns `iterations`."""
        grads, variables = zip(*grads_and_vars)
        self.apply(grads, variables)
        return self.iterations

    def stateless_apply(
        self,
        optimizer_variables: Sequence[Any],
        grads: Sequence[Any],
        trainable_variables: Sequence[Any],
    ) -> tuple[list[Any], list[Any]]:
        """`apply` as a pure function of values, in the order of `variables` and of `build`.

        Returns:
            New values of the weights and of the optimizer's variables.

        Raises:
            ValueError: if the optimizer is not built or a number differs.
        """
        if not self.built:
            raise ValueError(
                f"Optimizer {self.name!r} is not built. Call build(variables) before "
                "stateless_apply."
            )
        own, weights = self.variables, self._own.weights
        for what, values, wanted in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, weights),
        ):
            if len(values) != len(wanted):
                raise ValueError(
                    f"{what} must hold {len(wanted)} values, one for each variable of optimizer "
                    f"{self.name!r}; got {len(values)}."
                )
        scope = Scope([*own, *weights], [*optimizer_variables, *trainable_variables])
        with scope.active():
            self.apply(grads)
        return scope.read(weights), scope.read(own)

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Replace the weights by their moving averages, if averages are kept.

        Raises:
            ValueError: if the optimizer was built for other weights.
        """
        if not self.use_ema:
            return
        for variable in var_list:
            if variable.overwrite_with_gradient:
                continue
            if id(variable) not in self._own.places:
                raise ValueError(
                    f"Optimizer {self.name!r} keeps no average of {variable.path!r}: it was built "
                    "for other weights."
                )
            variable.assign(self._own.averages[self._own.places[id(variable)]].value)

    def scale_loss(self, loss: Any) -> Any:
        """The loss to differentiate: multiplied by `loss_scale_factor`, if there is one."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    # ---- weight decay ------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Keep weight decay off some weights; a later call replaces an earlier one.

        Args:
            var_list: the weights themselves.
            var_names: patterns (regular expressions) searched for in the weights' names.
        """
        self._excluded = {id(variable) for variable in var_list or ()}
        self._excluded_names = re.compile("|".join(var_names)) if var_names else None

    def decays(self, variables: Sequence[Variable]) -> list[bool]:
        """For each weight whether weight decay applies to it, as `transition` takes it."""
        names = self._excluded_names
        return [
            id(v) not in self._excluded and not (names is not None and names.search(v.name))
            for v in variables
        ]

    # ---- saving ------------------------------------------------------------------------------

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Set the values of `variables`, in order; all or none.

        Raises:
            ValueError: if the optimizer is not built, or a number or shape differs.
        """
        if not self.built:
            raise ValueError(
                f"Optimizer {self.name!r} is not built. Call build(variables) before set_weights."
            )
        variables = self.variables
        shapes = [np.shape(weight) for weight in weights]
        if shapes != [variable.shape for variable in variables]:
            raise ValueError(
                f"Optimizer {self.name!r} holds variables of shapes "
                f"{[variable.shape for variable in variables]}; set_weights got {shapes}."
            )
        for variable, weight in zip(variables, weights):
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Put each variable into a mapping under its index, as text."""
        for index, variable in enumerate(self.variables):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store: Any) -> None:
        """Take the variables from such a mapping; warn and take none if the number differs."""
        variables = self.variables
        if len(store) != len(variables):
            warnings.warn(
                f"Optimizer {self.name!r} has {len(variables)} variables, but {len(store)} were "
                "saved: none is loaded. Build it for the same weights first.",
                stacklevel=2,
            )
            return
        for index, variable in enumerate(variables):
            variable.assign(np.asarray(store[str(index)]))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer, state apart from the learning rate."""
        rate = self.schedule
        return {
            "name": self.name,
            "learning_rate": float(self._own.learning_rate)
            if rate is None
            else (registry.serialize(rate)),
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            **{name: getattr(self, name) for name in self.hyperparameters},
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer with these arguments."""
        config = dict(config)
        if isinstance(config.get("learning_rate"), dict):
            config["learning_rate"] = registry.deserialize(
                config["learning_rate"], custom_objects, kind="schedule"
            )
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"
