"""The entrance of a model: layers that work on the host, applied to data before any program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from slipstream.core.layer import Layer
from slipstream.core.symbol import SymbolicTensor, is_symbolic, symbols_in
from slipstream.data.batch_tuples import pack_x_y_sample_weight, unpack_x_y_sample_weight
from slipstream.data.dataset import Dataset
from slipstream.data.pydataset import PyDataset
from slipstream.data.sources import is_batches
from slipstream.models.graph import Graph
from slipstream.models.inputs import arrange


def on_host(operation: Any) -> bool:
    """Whether a layer works on the host, as those on text do."""
    return bool(getattr(operation, "on_host", False))


class GraphEntrance:
    """The host's part of a graph, and the graph that is left for programs.

    Args:
        graph: a graph in which layers on the host take only inputs, or each other's outputs.

    Raises:
        ValueError: if such a layer needs what a program computes.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        ready = {id(symbol) for symbol in graph.sources}
        self.nodes = [node for node in graph.nodes if on_host(node.operation)]
        for node in self.nodes:
            if any(id(symbol) not in ready for symbol in symbols_in((node.args, node.kwargs))):
                raise ValueError(
                    f"Layer {node.operation.name!r} ({type(node.operation).__name__}) works on the "
                    "host, so its input must be an Input of the model, not what another layer "
                    "computes. Apply it to the data first."
                )
            ready |= {id(symbol) for symbol in symbols_in(node.outputs)}
        inside = [node for node in graph.nodes if not on_host(node.operation)]
        made = {id(symbol) for node in self.nodes for symbol in symbols_in(node.outputs)}
        given = {id(symbol) for symbol in graph.sources}
        needed: dict[int, SymbolicTensor] = {
            id(symbol): symbol
            for node in inside
            for symbol in symbols_in((node.args, node.kwargs))
            if id(symbol) in given | made
        }
        needed |= {id(s): s for s in graph.results if id(s) in given | made}
        self.inner = Graph(list(needed.values()), graph.outputs)

    def enter(self, x: Any, model: str) -> list[Any]:
        """The inputs of the inner graph, for data of the whole one."""
        if len(self.graph.sources) == 1 and isinstance(x, (list, tuple)) and len(x) != 1:
            x = np.asarray(x)  # a list of texts is one input
        values = arrange(self.graph, x, model)
        found = {id(symbol): value for symbol, value in zip(self.graph.sources, values)}

        def fill(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: found[id(leaf)] if is_symbolic(leaf) else leaf, tree)

        for node in self.nodes:
            outputs = node.operation(*fill(node.args), **fill(node.kwargs))
            for symbol, value in zip(symbols_in(node.outputs), jax.tree.leaves(outputs)):
                found[id(symbol)] = value
        return [found[id(symbol)] for symbol in self.inner.sources]


class StackEntrance:
    """The layers on the host at the bottom of a stack."""

    def __init__(self, layers: list[Layer]) -> None:
        self.layers = layers

    def enter(self, x: Any, model: str) -> Any:
        """The input of the layers above."""
        for layer in self.layers:
            x = layer(x)
        return x


class Entered:
    """Batches of an iterable whose inputs have gone through an entrance."""

    def __init__(self, batches: Any, enter: Callable[[Any], Any]) -> None:
        self._batches, self._enter = batches, enter

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            yield _entered(batch, self._enter)


class EnteredDataset(PyDataset):
    """The same for a `PyDataset`, which is asked for each batch."""

    def __init__(self, dataset: PyDataset, enter: Callable[[Any], Any]) -> None:
        super().__init__()
        self._dataset, self._enter = dataset, enter

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Any:
        return _entered(self._dataset[index], self._enter)

    def on_epoch_end(self) -> None:
        """Tell the dataset."""
        self._dataset.on_epoch_end()


def _entered(batch: Any, enter: Callable[[Any], Any]) -> Any:
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    return pack_x_y_sample_weight(enter(x), y, sample_weight)


def enter_all(x: Any, enter: Callable[[Any], Any]) -> Any:
    """Data, or batches of it, through an entrance."""
    if isinstance(x, PyDataset):
        return EnteredDataset(x, enter)
    if isinstance(x, Dataset):  # its batches keep their places
        return x.map(lambda *batch: _entered(batch if len(batch) > 1 else batch[0], enter))
    return Entered(x, enter) if is_batches(x) else enter(x)
