"""Which layers of a graph set a width, and which of these widths may change."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from slipstream.core.layer import Layer
from slipstream.core.symbol import symbols_in
from slipstream.layers.embedding import ReversibleEmbedding
from slipstream.layers.merging import Elementwise
from slipstream.models.graph import Graph
from slipstream.models.sequential import Sequential

_KEYS = ("units", "features", "filters", "output_dim", "embedding_dim", "output_shape")
_HOLD = ("layer", "forward_layer", "backward_layer", "cell", "cells")  # configurations in a layer's


def width_of(config: dict[str, Any]) -> tuple[str, Any] | None:
    """Name and value of the argument that sets the size of a layer's last axis, if there is one."""
    for key in _KEYS if "function" not in config else ():  # a Lambda's shape is its own affair
        value = config.get(key)
        if isinstance(value, (list, tuple)) and value and isinstance(value[-1], int):
            return key, value
        if isinstance(value, int) and not isinstance(value, bool):
            return key, value
    return None


def part_configs(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Configurations of the layers that a layer is made of."""
    for key in _HOLD:
        parts = config.get(key)
        for part in parts if isinstance(parts, list) else [parts]:
            if isinstance(part, dict) and isinstance(part.get("config"), dict):
                yield part["config"]


def graph_of(model: Any) -> Graph | None:
    """The graph of a built Sequential or functional model; None for anything else."""
    if isinstance(model, Sequential):
        return Graph(model.input, model.output) if model.built else None
    return getattr(model, "_whole", None)


class Widths:
    """The widths of all symbols of a graph: which must be equal, and which must stay.

    Each width is a number into lists; those that must be equal are joined (a union-find). What is
    made of other widths (a concatenation, a flattened picture) stays if and only if they do.

    Args:
        graph: the graph; the widths of its inputs and outputs stay.
        keep: names of layers whose widths stay, too.
    """

    def __init__(self, graph: Graph, keep: Collection[str] = ()) -> None:
        self._parents: list[int] = []
        self._stays: set[int] = set()
        self._made: list[tuple[int, list[int]]] = []  # a width, and those that it is made of
        self._of_layer: dict[int, int] = {}
        self._first_input: dict[int, int] = {}
        self._keep = set(keep)
        inputs = [self._new() for _ in graph.sources]
        self._stays.update([*inputs, *self._walk(graph, inputs)])
        self._spread()

    def fixed(self, layer: Layer) -> bool:
        """Whether the width that a layer sets has to stay."""
        number = self._of_layer.get(id(layer))
        return number is not None and self._root(number) in self._stays

    def _new(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def _root(self, number: int) -> int:
        while self._parents[number] != number:
            number = self._parents[number]
        return number

    def _join(self, *numbers: int) -> int:
        for other in numbers[1:]:
            self._parents[self._root(other)] = self._root(numbers[0])
        return numbers[0]

    def _walk(self, graph: Graph, inputs: list[int]) -> list[int]:
        """Widths of a graph's results, given those of its sources."""
        known = {id(symbol): number for symbol, number in zip(graph.sources, inputs)}
        for node in graph.nodes:
            results = symbols_in(node.outputs)
            if all(id(symbol) in known for symbol in results):
                continue
            arguments = symbols_in((node.args, node.kwargs))
            numbers = [known[id(symbol)] for symbol in arguments]
            step, inner = node.operation, graph_of(node.operation)
            if inner is not None:
                found = self._walk(inner, numbers)
            else:
                if (
                    isinstance(step, Layer)
                    and numbers
                    and not isinstance(step, ReversibleEmbedding)
                ):
                    self._join(self._first_input.setdefault(id(step), numbers[0]), numbers[0])
                sizes = [symbol.shape[-1] if symbol.shape else None for symbol in arguments]
                found = [
                    self._result(step, numbers, sizes, symbol.shape[-1] if symbol.shape else None)
                    for symbol in results
                ]
            known.update({id(symbol): number for symbol, number in zip(results, found)})
        return [known[id(symbol)] for symbol in graph.results]

    def _result(self, step: Any, inputs: list[int], sizes: list[Any], size: Any) -> int:
        """The width of what a step gives."""
        alike = [number for number, other in zip(inputs, sizes) if other == size]
        if isinstance(step, Layer) and _sets_width(step.get_config()):
            own = self._of_layer.setdefault(id(step), self._new())
            if step.name in self._keep:
                self._stays.add(own)
            if isinstance(step, ReversibleEmbedding) and size == step.input_dim != step.output_dim:
                self._join(own, inputs[0])  # backward: it takes the width, and gives the words
                own = self._new()
                self._stays.add(own)
            states = [n for n, other in zip(inputs[1:], sizes[1:]) if other == size]
            return self._join(own, *states)
        if isinstance(step, Elementwise) or alike:
            return self._join(*alike) if alike else self._compose(inputs)
        return self._compose(inputs)

    def _compose(self, inputs: list[int]) -> int:
        number = self._new()
        self._made.append((number, inputs))
        return number

    def _spread(self) -> None:
        """Carry what stays through all that is equal or made of one another."""
        before = -1
        while before != len(self._stays):
            self._stays |= {self._root(number) for number in self._stays}
            before = len(self._stays)
            for number, parts in self._made:
                roots = {self._root(part) for part in parts}
                if self._root(number) in self._stays:
                    self._stays |= roots
                elif roots <= self._stays:
                    self._stays.add(self._root(number))


def _sets_width(config: dict[str, Any]) -> bool:
    return width_of(config) is not None or any(map(_sets_width, part_configs(config)))
