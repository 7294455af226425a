"""What a layer is made of: variables and layers held in its attributes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from slipstream.core.variable import Variable

_UNTRACKED = frozenset({"_init_arguments", "_nodes"})


class Tracked:
    """The part of `Layer` that finds variables and layers, wherever attributes hold them."""

    _untracked: frozenset[str] = frozenset()
    _trainable: bool

    def _children(self) -> Iterator[Variable | Tracked]:
        """Variables and layers held directly, in the order in which they were set."""
        for _, value in self.attributes(_HOLDING):
            yield from held(value)

    def attributes(self, kinds: Any = object) -> Iterator[tuple[str, Any]]:
        """The attributes of some types in which variables, layers and metrics are looked for."""
        untracked = self._untracked
        for name, value in vars(self).items():
            # Types first: most attributes are plain, and `fit` looks through all of them.
            if isinstance(value, kinds) and name not in untracked and name not in _UNTRACKED:
                yield name, value

    @property
    def _layers(self) -> list[Any]:
        return unique(child for child in self._children() if isinstance(child, Tracked))

    def _walk(self) -> list[tuple[Any, list[Variable | Tracked]]]:
        """This layer and all layers inside it, outermost first, each once with its children."""
        found: dict[int, tuple[Tracked, list[Variable | Tracked]]] = {}

        def visit(layer: Tracked) -> None:
            if id(layer) not in found:
                children = list(layer._children())
                found[id(layer)] = layer, children
                for child in children:
                    if isinstance(child, Tracked):
                        visit(child)

        visit(self)
        return list(found.values())

    def _flatten_layers(self) -> list[Any]:
        """This layer and all layers inside it, outermost first, each once."""
        return [layer for layer, _ in self._walk()]

    @property
    def variables(self) -> list[Variable]:
        """All variables, this layer's own before those of the layers inside it."""
        return unique(v for _, children in self._walk() for v in declared_first(children))

    @property
    def weights(self) -> list[Variable]:
        """All variables, trainable or not, but for the states of stateful layers."""
        return [variable for variable in self.variables if not variable.transient]

    def variables_by_role(self) -> tuple[list[Variable], list[Variable]]:
        """The variables that optimizers update, and those that they leave alone."""
        everything, trained = [], []
        for layer, children in self._walk():
            own = declared_first(children)
            everything += own
            if layer._trainable:
                trained += [v for v in own if v.declared_trainable and v.trainable]
        trained = unique(trained)
        names = {id(variable) for variable in trained}
        return trained, [v for v in unique(everything) if id(v) not in names]

    @property
    def trainable_variables(self) -> list[Variable]:
        """The variables that optimizers update."""
        return self.variables_by_role()[0]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """The variables that optimizers leave alone."""
        return self.variables_by_role()[1]

    trainable_weights = trainable_variables
    non_trainable_weights = non_trainable_variables

    @property
    def trainable(self) -> bool:
        """Whether optimizers update this layer; setting it reaches the layers inside."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for layer in self._flatten_layers():
            layer._trainable = bool(value)

    @property
    def metrics(self) -> list[Any]:
        """The metrics held in attributes, also of the layers inside."""
        return unique(
            metric
            for layer in self._flatten_layers()
            for _, value in layer.attributes()
            for metric in _metrics_in(value)
        )

    @property
    def metrics_variables(self) -> list[Variable]:
        """The variables of all metrics, in order."""
        return [variable for metric in self.metrics for variable in metric.variables]

    def count_params(self) -> int:
        """Number of elements of all weights."""
        return sum(variable.size for variable in self.weights)


def declared_first(children: Iterable[Any]) -> list[Variable]:
    """The variables among them, trainable ones first: the order in which they are saved."""
    own = [child for child in children if isinstance(child, Variable)]
    return sorted(own, key=lambda variable: not variable.declared_trainable)


_HOLDING = (Variable, Tracked, list, tuple, set, dict)


def held(value: Any) -> Iterator[Any]:
    """Variables and layers in a value of an attribute: itself, or in lists and dictionaries."""
    if isinstance(value, (Variable, Tracked)):
        yield value
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from held(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from held(item)


def _metrics_in(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple, set, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _metrics_in(item)
    elif hasattr(type(value), "update_state") and hasattr(type(value), "result"):
        yield value


def unique(items: Iterable[Any]) -> list[Any]:
    """The items, each once, in order."""
    return list({id(item): item for item in items}.values())
