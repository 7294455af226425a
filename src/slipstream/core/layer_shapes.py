"""Shapes of what goes into a layer and comes out of it, found without data."""

from __future__ import annotations

import inspect
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.layer_call import run, to_array
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.core.signature import accepted, arrays_of, is_shape
from slipstream.core.symbol import SymbolicTensor, infer


def shapes_of(layer: Any, args: tuple, kwargs: dict) -> dict[str, Any]:
    """Shapes of the arguments that hold arrays, by name: ``{"query_shape": …}``."""
    return {
        f"{name}_shape": jax.tree.map(lambda leaf: tuple(leaf.shape), value)
        for name, value in arrays_of(type(layer).call, args, kwargs).items()
    }


def build_for(layer: Any, args: tuple, kwargs: dict) -> None:
    """Build the layer for these arguments of its `call`."""
    shapes = shapes_of(layer, args, kwargs)
    parameters = accepted(type(layer).build)
    if len(parameters) <= 1:
        named = dict(zip(parameters, shapes.values()))
    else:
        named = {name: shapes[name] for name in parameters if name in shapes}
    with layer._named():
        layer.build(**named)


def traced_output_shape(layer: Any, args: tuple, kwargs: dict) -> Any:
    """Shapes of the outputs for inputs of these shapes, found by `compute_output_spec`."""
    specs = jax.tree.map(
        lambda shape: SymbolicTensor(shape, layer.compute_dtype),
        (args, kwargs),
        is_leaf=is_shape,
    )
    kwargs = {name.removesuffix("_shape"): spec for name, spec in specs[1].items()}
    outputs = layer.compute_output_spec(*specs[0], **kwargs)
    return jax.tree.map(lambda spec: spec.shape, outputs)


def output_spec(layer: Any, args: tuple, kwargs: dict) -> Any:
    """Symbolic outputs of a built layer: as it says by itself, else by tracing its `call`."""
    known = layer._known_output_shape(args, kwargs)
    if known is not None:
        given = jnp.dtype(jax.tree.leaves(args)[0].dtype)
        floats = jnp.issubdtype(given, jnp.floating) or not layer.keeps_dtype
        dtype = layer.compute_dtype if floats else given
        return jax.tree.map(lambda shape: SymbolicTensor(shape, dtype), known, is_leaf=is_shape)

    def traced(*args: Any, **kwargs: Any) -> Any:
        scope = Scope(training=False, key=key_from(0), dry=True)
        with scope.active():
            return run(layer, *jax.tree.map(partial(to_array, layer), (args, kwargs)))

    return infer(traced, *args, **kwargs)


def told_output_shape(layer: Any, plain: Any, args: tuple, kwargs: dict) -> Any:
    """What the layer's own `compute_output_shape` says, or None if it has only the `plain` one."""
    compute = type(layer).compute_output_shape
    if compute is plain:
        return None
    shapes = shapes_of(layer, args, kwargs)
    parameters = inspect.signature(compute).parameters
    wanted = list(parameters)[1:]
    if len(wanted) == 1:
        return layer.compute_output_shape(next(iter(shapes.values())))
    named = {name: shapes[name] for name in wanted if name in shapes}
    needed = [name for name in wanted if parameters[name].default is inspect.Parameter.empty]
    return layer.compute_output_shape(**named) if set(needed) <= set(named) else None
