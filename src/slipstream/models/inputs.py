"""What goes into a functional model: data in any structure, matched with its inputs."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.symbol import SymbolicTensor
from slipstream.models.graph import Graph


def arrange(graph: Graph, x: Any, model: str) -> list[Any]:
    """The model's inputs as a flat list, from data in any structure that names or orders them.

    Raises:
        ValueError: if inputs are missing, or their number is wrong.
    """
    names = input_names(graph)
    if isinstance(x, dict):
        wanted = list(graph.inputs) if isinstance(graph.inputs, dict) else names
        wanted = sorted(wanted) if isinstance(graph.inputs, dict) else wanted
        if any(name not in x for name in wanted):
            wanted = names
        missing = [name for name in wanted if name not in x]
        if missing:
            raise ValueError(
                f"Model {model!r} has an input {missing[0]!r}, which the data lack: they have "
                f"{', '.join(map(repr, x))}. Name each array after its Input."
            )
        return [x[name] for name in wanted]
    leaves = jax.tree.leaves(x)
    if len(leaves) != len(graph.sources):
        raise ValueError(
            f"Model {model!r} has {len(graph.sources)} inputs ({', '.join(names)}); got "
            f"{len(leaves)} arrays. Pass a list in that order, or a dictionary by name."
        )
    return leaves


def input_names(graph: Graph) -> list[str]:
    """Names of the inputs, in the order of the graph's sources."""
    return [symbol.node.operation.name if symbol.node else symbol.name for symbol in graph.sources]


def output_names(graph: Graph) -> list[str]:
    """Keys of a dictionary of outputs, else the names of the layers that give them."""
    if isinstance(graph.outputs, dict):
        return sorted(graph.outputs)
    found: list[str] = []
    for symbol in graph.results:
        name = symbol.node.operation.name if symbol.node else symbol.name
        found.append(name if name not in found else f"{name}_{found.count(name)}")
    return found


def fit_rank(value: Any, spec: SymbolicTensor) -> Any:
    """``(batch,)`` for ``(batch, 1)`` and back, in the input's type."""
    if not hasattr(value, "ndim"):
        return value
    if value.ndim == len(spec.shape) - 1 and spec.shape[-1] == 1:
        value = value[..., None]
    elif value.ndim == len(spec.shape) + 1 and value.shape[-1] == 1:
        value = value[..., 0]
    if value.dtype == spec.dtype:
        return value
    return value.astype(spec.dtype) if hasattr(value, "astype") else jnp.asarray(value, spec.dtype)


def fits(shape: tuple[int, ...], spec: SymbolicTensor) -> bool:
    """Whether data of this shape can go into an input, with a size-1 last axis more or less."""
    options = [shape, (*shape, 1), shape[:-1] if shape[-1:] == (1,) else shape]
    return any(
        len(option) == len(spec.shape)
        and all(b is None or a == b for a, b in zip(option[1:], spec.shape[1:]))
        for option in options
    )


def check_shapes(graph: Graph, x: Any, model: str) -> None:
    """Raise a ValueError that shows both shapes if data cannot go in."""
    for value, spec, name in zip(arrange(graph, x, model), graph.sources, input_names(graph)):
        shape = tuple(value.shape)
        if not fits(shape, spec):
            raise ValueError(
                f"Model {model!r} wants shape {spec.shape} at its input {name!r}; got data of "
                f"shape {shape}. Reshape the data, or declare Input(shape={shape[1:]})."
            )
