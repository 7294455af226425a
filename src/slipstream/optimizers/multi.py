"""`MultiOptimizer`: one optimizer for some weights, another for the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from slipstream.core import registry
from slipstream.core.patterns import PathMap
from slipstream.core.registry import register
from slipstream.core.variable import Variable
from slipstream.optimizers.base import Optimizer
from slipstream.optimizers.holder import StateVariables
from slipstream.optimizers.transition import OptimizerState


@register("optimizer")
class OptimizerMap(PathMap):
    """Optimizers by the paths of weights; a key may be a regular expression for whole paths.

    Args:
        default_optimizer: the optimizer of weights that no key fits.
        optimizer_map: the others, by path.

    Raises:
        TypeError: if `default_optimizer` is no optimizer.
        ValueError: if another value is none, a key is there already, or several fit one path.
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: Mapping[str, Optimizer] | None = None
    ) -> None:
        super().__init__()
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"default_optimizer must be an optimizer; got {default_optimizer!r}.")
        self.default_optimizer = default_optimizer
        self.update(optimizer_map or {})

    def otherwise(self) -> Optimizer:
        """The optimizer of weights that no key fits."""
        return self.default_optimizer

    def checked(self, value: Any) -> Optimizer:
        """See `PathMap.checked`."""
        if not isinstance(value, Optimizer):
            raise ValueError(f"An OptimizerMap holds optimizers; got {value!r}.")
        return value

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal map."""
        return {
            "default_optimizer": registry.serialize(self.default_optimizer),
            "optimizer_map": {key: registry.serialize(self[key]) for key in self},
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The map with these arguments."""

        def load(each: Any) -> Any:
            return registry.deserialize(each, custom_objects, kind="optimizer")

        others = {key: load(each) for key, each in config["optimizer_map"].items()}
        return cls(load(config["default_optimizer"]), others)


@register("optimizer")
class MultiOptimizer(Optimizer):
    """Several optimizers, each for the weights whose paths a map gives it.

    Each keeps its own learning rate and options, clipping by the norm of all of *its* gradients
    among them.

    Args:
        optimizer_map: which optimizer for which weights.
        loss_scale_factor: the loss is multiplied by it and the gradients are divided by it.
        name: automatic if not given.

    Raises:
        ValueError: if one of the optimizers has a loss scale of its own.
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap,
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(optimizer_map, OptimizerMap):
            raise ValueError(f"optimizer_map must be an OptimizerMap; got {optimizer_map!r}.")
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self.optimizer_map = optimizer_map
        values = [optimizer_map[key] for key in optimizer_map] + [optimizer_map.default_optimizer]
        self.optimizers: list[Optimizer] = list({id(each): each for each in values}.values())
        for inner in self.optimizers:
            if inner.loss_scale(inner.state()) is not None:
                raise ValueError(
                    f"Optimizer {inner.name!r} has a loss scale of its own. Give "
                    "loss_scale_factor to the MultiOptimizer instead."
                )
            if type(inner).differentiate is not Optimizer.differentiate:
                raise ValueError(
                    f"Optimizer {inner.name!r} takes gradients in a way of its own, and that must "
                    f"be one for all weights: {type(inner).__name__}(MultiOptimizer(…))."
                )
        self._own: _Parts = _Parts(self)

    @property
    def packable(self) -> bool:
        """See `UpdateRule.packable`."""
        return False

    @property
    def use_ema(self) -> bool:
        """Whether one of the optimizers keeps averages of its weights."""
        return any(inner.use_ema for inner in getattr(self, "optimizers", ()))

    @use_ema.setter
    def use_ema(self, value: bool) -> None:
        """Each optimizer has its own."""

    def transition(
        self,
        params: Sequence[Any],
        grads: Sequence[Any],
        state: OptimizerState,
        decays: Sequence[Any],
    ) -> tuple[list[Any], OptimizerState]:
        """See `UpdateRule.transition`: each optimizer's, for the weights that are its own."""
        values, shared = list(params), dict(state.shared)
        if self.loss_scale_factor is not None:
            grads = [grad / self.loss_scale_factor for grad in grads]
        for number, (inner, mine) in enumerate(self._own.split(self.chosen)):
            if not mine:
                continue
            where = [position for position, _ in mine]
            inner._chosen = [place for _, place in mine]
            try:
                new, shared[str(number)] = inner.transition(
                    [params[i] for i in where],
                    [grads[i] for i in where],
                    state.shared[str(number)],
                    [decays[i] for i in where],
                )
            finally:
                inner._chosen = None
            for i, value in zip(where, new):
                values[i] = value
        return values, state._replace(iterations=state.iterations + 1, shared=shared)

    @property
    def learning_rate(self) -> Any:
        """Each optimizer has its own.

        Raises:
            AttributeError: always.
        """
        raise AttributeError(
            f"Each optimizer of {self.name!r} has its own learning rate: see its `optimizers`."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            f"Each optimizer of {self.name!r} has its own learning rate: see its `optimizers`."
        )

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Variable] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """See `Optimizer.exclude_from_weight_decay`; reaches all of the optimizers."""
        for inner in self.optimizers:
            inner.exclude_from_weight_decay(var_list, var_names)

    def decays(self, variables: Sequence[Variable]) -> list[bool]:
        """See `Optimizer.decays`."""
        return [self.optimizer_map[v.path].decays([v])[0] for v in variables]

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """See `Optimizer.finalize_variable_values`."""
        for variable in var_list:
            self.optimizer_map[variable.path].finalize_variable_values([variable])

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal optimizer."""
        return {
            "optimizer_map": registry.serialize(self.optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Self:
        """The optimizer with these arguments."""
        chosen = registry.deserialize(config["optimizer_map"], custom_objects, kind="optimizer")
        return cls(**{**config, "optimizer_map": chosen})


class _Parts(StateVariables):
    """The states of all the optimizers, each under its number as shared state."""

    rule: MultiOptimizer
    owners: list[tuple[int, int]]  # of each weight: its optimizer's number, and its place there

    def build(self, weights: Sequence[Variable]) -> None:
        super().build([])
        self.weights = list(weights)
        updated = [weight for weight in weights if not weight.overwrite_with_gradient]
        self.places = {id(weight): place for place, weight in enumerate(updated)}
        chosen = [self.rule.optimizer_map[weight.path] for weight in updated]
        self.owners = []
        for inner in self.rule.optimizers:
            inner.build([weight for weight, each in zip(updated, chosen) if each is inner])
        numbers = {id(inner): number for number, inner in enumerate(self.rule.optimizers)}
        counts = np.zeros(len(numbers), int)
        for each in chosen:
            number = numbers[id(each)]
            self.owners.append((number, int(counts[number])))
            counts[number] += 1

    def split(self, places: Sequence[int]) -> list[tuple[Optimizer, list[tuple[int, int]]]]:
        """For each optimizer which of the given places are its own, and their places in it."""
        parts: list[list[tuple[int, int]]] = [[] for _ in self.rule.optimizers]
        for position, place in enumerate(places):
            number, inside = self.owners[place]
            parts[number].append((position, inside))
        return list(zip(self.rule.optimizers, parts))

    def listed(self) -> list[Variable]:
        inner = [variable for each in self.rule.optimizers for variable in each.variables]
        return [*super().listed(), *inner]

    def read(self, places: Sequence[int]) -> OptimizerState:
        state = super().read([])
        for number, (inner, mine) in enumerate(self.split(places)):
            state.shared[str(number)] = inner._own.read([place for _, place in mine])
        return state

    def write(self, places: Sequence[int], state: OptimizerState) -> None:
        super().write([], state._replace(shared={}))
        for number, (inner, mine) in enumerate(self.split(places)):
            inner._own.write([place for _, place in mine], state.shared[str(number)])
