"""Dense layers that follow each other and are small run as one operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import jax

from slipstream import activations
from slipstream.core import masks
from slipstream.core.layer import Layer
from slipstream.core.scope import current_scope
from slipstream.kernels.dense_chain import ACTIVATIONS, LAST, MOST, dense_chain, worth
from slipstream.layers.dense import Dense

_NAMED = [(getattr(activations, name), name) for name in LAST]


def call_all(layers: Sequence[Layer], x: Any) -> Any:
    """Feed `x` through layers, one after another."""
    for chain in _chains(layers):
        if len(chain) > 1 and _takes(chain, x):
            x = _call_chain(chain, x)
        else:
            for layer in chain:
                x = layer(x)
    return x


def plan_of(layers: Sequence[Any]) -> tuple[list[int], list[str]] | None:
    """Sizes and activations of dense layers, as a `Network` takes them; None if it cannot."""
    if not layers or not all(map(_is_plain, layers)):
        return None
    names = [*map(_activation, layers)]
    if not all(map(_passes, layers[:-1])) or not names[-1]:
        return None
    return [layers[0]._kernel.shape[0], *(layer.units for layer in layers)], names


def _chains(layers: Sequence[Layer]) -> Iterator[list[Any]]:
    """The layers in order: small dense ones together, others by themselves."""
    chain: list[Any] = []
    size = 0
    for layer in layers:
        fits = _is_plain(layer)
        weights = layer.count_params() if fits else 0
        if chain and (not fits or size + weights > MOST or not _passes(chain[-1])):
            yield chain
            chain, size = [], 0
        chain.append(layer)
        size += weights
        if not fits:
            yield chain
            chain, size = [], 0
    if chain:
        yield chain


def _is_plain(layer: Any) -> bool:
    """Whether nothing happens in a layer but its product, in single precision."""
    return (
        type(layer) is Dense
        and layer.built
        and "call" not in vars(layer)
        and not layer.lora_enabled
        and layer.activity_regularizer is None
        and layer._remat is None
        and layer.compute_dtype == "float32"
        and all(variable.dtype == "float32" for variable in layer.variables)
    )


def _activation(layer: Any) -> str:
    return next((name for function, name in _NAMED if function is layer.activation), "")


def _passes(layer: Any) -> bool:
    """Whether a chain goes on after a layer."""
    return _activation(layer) in ACTIVATIONS


def _takes(chain: Sequence[Any], x: Any) -> bool:
    scope = current_scope()
    return (
        isinstance(x, jax.Array)
        and x.shape[1:] == (chain[0]._kernel.shape[0],)
        and x.dtype == "float32"
        and masks.of(x) is None
        and (scope is None or scope.autocast in (None, "float32"))
        and worth(x.shape[0], sum(layer.count_params() for layer in chain))
    )


def _call_chain(layers: Sequence[Any], x: Any) -> Any:
    last = layers[-1]
    ends = "relu" if last.activation is activations.relu else "linear"
    y = dense_chain(
        x,
        [(each._kernel.value, None if each.bias is None else each.bias.value) for each in layers],
        [*map(_activation, layers[:-1]), ends],
    )
    # Losses find what went into a sigmoid or softmax where the layer's own function leaves it.
    return y if ends == "relu" else last.activation(y)
