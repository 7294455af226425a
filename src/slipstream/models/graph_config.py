"""Functional models as configurations, in Keras 3's layout, and back."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any

import jax

from slipstream.core import registry
from slipstream.core.operation import Operation
from slipstream.core.symbol import Node, SymbolicTensor, is_symbolic
from slipstream.models.graph import Graph


def graph_config(model: Any, graph: Graph) -> dict[str, Any]:
    """Configuration of a functional model, in Keras 3's layout."""
    places: dict[int, int] = {}  # node -> its number among the nodes of its operation here
    nodes: dict[int, list[Node]] = {}
    inside = {id(node) for node in graph.nodes}
    for operation in graph.operations:
        nodes[id(operation)] = [node for node in operation._nodes if id(node) in inside]
        places.update({id(node): i for i, node in enumerate(nodes[id(operation)])})

    def history(symbol: SymbolicTensor) -> list[Any]:
        node = symbol.node
        assert node is not None
        outputs = jax.tree.leaves(node.outputs)
        number = next(i for i, output in enumerate(outputs) if output is symbol)
        return [node.operation.name, places[id(node)], number]

    def argument(leaf: Any) -> Any:
        if not is_symbolic(leaf):
            return registry.serialize(leaf)
        return {
            "class_name": "__keras_tensor__",
            "config": {"shape": leaf.shape, "dtype": leaf.dtype, "keras_history": history(leaf)},
        }

    def arguments(tree: Any) -> Any:
        if isinstance(tree, (list, tuple)):
            return type(tree)(arguments(item) for item in tree)
        if isinstance(tree, dict):
            return {key: arguments(item) for key, item in tree.items()}
        return argument(tree)

    layers = []
    for operation in graph.operations:
        entry = serialize_step(operation)
        entry["name"] = operation.name
        entry["inbound_nodes"] = [
            {"args": arguments(node.args), "kwargs": arguments(node.kwargs)}
            for node in nodes[id(operation)]
            if node.args or node.kwargs
        ]
        layers.append(entry)

    def ends(tree: Any) -> Any:
        found = jax.tree.map(history, tree)
        if isinstance(found, (list, tuple)) and len(found) == 1:
            return [found[0]]
        return found

    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": ends(graph.inputs),
        "output_layers": ends(graph.outputs),
    }


def serialize_step(operation: Any) -> dict[str, Any]:
    """Configuration of a layer, or of an operation under the module Keras has it in."""
    if not isinstance(operation, Operation):
        return registry.serialize(operation)
    entry = operation.entry
    return {
        "module": entry.module,
        "class_name": entry.class_name,
        "config": registry.serialize_dict(operation.get_config()),
        "registered_name": entry.class_name,
    }


def model_from_config(cls: Any, config: dict[str, Any]) -> Any:
    """Build the graph that `graph_config` described, and the model of it.

    Raises:
        ValueError: if it names something unknown, or steps wait for each other in a circle.
    """
    operations: dict[str, Any] = {}
    waiting: list[tuple[str, dict[str, Any]]] = []
    for entry in config["layers"]:
        name = entry.get("name") or entry["config"]["name"]
        operations[name] = _step(entry)
        waiting += [(name, node) for node in entry["inbound_nodes"]]
    # Calls of one layer keep their order: its second node comes after its first.
    while waiting:
        later, blocked = [], set()
        for name, node in waiting:
            args = kwargs = None
            if name not in blocked:
                with suppress(_NotYet):
                    args = _fill(node["args"], operations)
                    kwargs = _fill(node["kwargs"], operations)
            if args is None or kwargs is None:
                blocked.add(name)
                later.append((name, node))
            else:
                operations[name](*args, **kwargs)
        if len(later) == len(waiting):
            raise ValueError(
                f"The model {config.get('name')!r} cannot be rebuilt: the inputs of "
                f"{', '.join(sorted(blocked))} are missing. The file is damaged; save it again."
            )
        waiting = later
    model = cls(
        inputs=_ends(config["input_layers"], operations),
        outputs=_ends(config["output_layers"], operations),
        name=config.get("name"),
    )
    if not config.get("trainable", True):
        model.trainable = False
    return model


class _NotYet(Exception):
    pass


def _step(entry: dict[str, Any]) -> Any:
    module = entry.get("module") or ""
    if module.startswith("keras.src.ops") or module == "keras.src.activations.activations":
        return registry.operation(entry["class_name"]).from_config(
            registry.deserialize(entry["config"])
        )
    return registry.deserialize(entry)


def _fill(tree: Any, operations: dict[str, Any]) -> Any:
    if isinstance(tree, (list, tuple)):
        return [_fill(item, operations) for item in tree]
    if isinstance(tree, dict):
        if tree.get("class_name") == "__keras_tensor__":
            return _output(tree["config"]["keras_history"], operations)
        if "class_name" not in tree:
            return {key: _fill(item, operations) for key, item in tree.items()}
        return registry.deserialize(tree)
    return tree


def _output(history: Any, operations: dict[str, Any]) -> SymbolicTensor:
    name, node, number = history
    if name not in operations:
        raise ValueError(
            f"The model's configuration refers to a layer {name!r} that it does not describe. "
            "The file is damaged; save the model again."
        )
    nodes = operations[name]._nodes
    if node >= len(nodes):
        raise _NotYet
    return jax.tree.leaves(nodes[node].outputs)[number]


def _ends(tree: Any, operations: dict[str, Any]) -> Any:
    if isinstance(tree, dict):
        return {key: _ends(item, operations) for key, item in tree.items()}
    if len(tree) == 3 and isinstance(tree[0], str):
        return _output(tree, operations)
    return [_ends(item, operations) for item in tree]


def takes_graph(cls: type) -> bool:
    """Whether a class of models is constructed from inputs and outputs, as `Model` is."""
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    kinds = {parameter.kind for parameter in parameters.values()}
    variadic = inspect.Parameter.VAR_POSITIONAL in kinds and inspect.Parameter.VAR_KEYWORD in kinds
    return {"inputs", "outputs"} <= set(parameters) or variadic
