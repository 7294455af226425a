"""`clone_model`: the same architecture with weights of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from slipstream.core.layer import Layer
from slipstream.layers.input import Input, InputLayer
from slipstream.models.model import Model
from slipstream.models.sequential import Sequential


def clone_model(
    model: Any,
    input_tensors: Any = None,
    clone_function: Callable[[Layer], Layer] | None = None,
    call_function: Callable[..., Any] | None = None,
    recursive: bool = False,
) -> Any:
    """A model with the architecture of another and new weights; it is not compiled.

    Args:
        model: a `Sequential` or functional model, or a subclass whose configuration says all.
        input_tensors: symbolic tensors to build the copy on, in the structure of the inputs.
        clone_function: makes the copy of each layer (not of the inputs); a copy by its
            configuration if not given.
        call_function: ``(layer, *args, **kwargs) -> outputs``, in place of calling the copy.
        recursive: whether `clone_function` reaches into models inside the model.

    Raises:
        ValueError: if arguments but `model` are given for a subclassed model.
    """
    if not isinstance(model, Model):
        raise ValueError(f"clone_model makes copies of models; got {model!r}.")
    by_config = clone_function or _by_config

    def copy(layer: Layer) -> Layer:
        if recursive and _has_parts(layer):
            return clone_model(layer, None, clone_function, call_function, recursive)
        return by_config(layer)

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        return (
            layer(*args, **kwargs)
            if call_function is None
            else call_function(layer, *args, **kwargs)
        )

    if isinstance(model, Sequential):
        return _clone_sequential(model, input_tensors, copy)
    if model._whole is None:
        if clone_function or call_function or input_tensors is not None:
            raise ValueError(
                f"Model {model.name!r} ({type(model).__name__}) is neither Sequential nor "
                "functional, so it is copied by its configuration alone. Leave the other arguments "
                "out."
            )
        return _by_config(model)
    graph = model._whole
    fresh = iter(jax.tree.leaves(input_tensors) if input_tensors is not None else ())
    starts = [
        next(fresh)
        if input_tensors is not None
        else Input(batch_shape=symbol.shape, dtype=symbol.dtype, name=_name(symbol))
        for symbol in graph.sources
    ]
    copies = {
        id(step): copy(step) if isinstance(step, Layer) else step
        for step in graph.operations
        if not isinstance(step, InputLayer)
    }
    outputs = graph.run(starts, lambda step, args, kwargs: call(copies[id(step)], *args, **kwargs))
    places = iter(starts)
    inputs = jax.tree.map(lambda _: next(places), graph.inputs)
    return type(model)(inputs=inputs, outputs=outputs, name=model.name)


def _clone_sequential(model: Sequential, input_tensors: Any, copy: Callable[..., Layer]) -> Any:
    start = jax.tree.leaves(input_tensors)
    first: list[Any] = start[:1]
    if not first and model._input is not None:
        symbol = model._input
        first = [InputLayer(batch_shape=symbol.shape, dtype=symbol.dtype, name=symbol.name)]
    return type(model)([*first, *map(copy, model.layers)], name=model.name)


def _name(symbol: Any) -> str:
    return symbol.node.operation.name


def _has_parts(layer: Layer) -> bool:
    return isinstance(layer, Sequential) or getattr(layer, "_whole", None) is not None


def _by_config(layer: Layer) -> Layer:
    return type(layer).from_config(layer.get_config())
