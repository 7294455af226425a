"""Dense layers that follow each other and are small run as one operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from slipstream import activations
from slipstream.core.layer import Layer
from slipstream.kernels.dense_chain import ACTIVATIONS, LAST, MOST, dense_chain, worth
from slipstream.layers.activation import Activation
from slipstream.layers.dense import Dense
from slipstream.layers.folding import call_each, is_bare, is_plain

_NAMED = [(getattr(activations, name), name) for name in LAST]


class _Step(NamedTuple):
    """A layer, and the activation that follows it in a layer of its own.

    Attributes:
        layers: the one or the two.
        activation: what a dense layer's sums go through at last; None of other layers.
    """

    layers: list[Any]
    activation: Any

    @property
    def dense(self) -> Any:
        """The first layer, where it is dense."""
        return self.layers[0]

    @property
    def name(self) -> str:
        """The activation's name in a chain, empty if it has none."""
        return next((name for function, name in _NAMED if function is self.activation), "")


def call_all(layers: Sequence[Layer], x: Any) -> Any:
    """Feed `x` through layers, one after another."""
    waiting: list[Layer] = []  # those that are no chain
    for chain in _chains(_steps(layers)):
        if len(chain) > 1:
            x, waiting = call_each(waiting, x), []
            if _takes(chain, x):
                x = _call_chain(chain, x)
                continue
        waiting += [layer for step in chain for layer in step.layers]
    return call_each(waiting, x)


class Plan(NamedTuple):
    """Dense layers, as a `Network` takes them.

    Attributes:
        sizes: numbers of a row, of the input and after each layer.
        activations: each layer's.
        biased: whether each layer has a bias.
    """

    sizes: list[int]
    activations: list[str]
    biased: list[bool]


def plan_of(layers: Sequence[Any]) -> Plan | None:
    """The plan of layers that are dense, or activations behind such; None of others."""
    steps = _steps(layers)
    names = [step.name for step in steps]
    if not steps or not names[-1] or not all(name in ACTIVATIONS for name in names[:-1]):
        return None
    dense = [step.dense for step in steps]
    sizes = [dense[0]._kernel.shape[0], *(layer.units for layer in dense)]
    return Plan(sizes, names, [layer.bias is not None for layer in dense])


def _steps(layers: Sequence[Any]) -> list[_Step]:
    steps: list[_Step] = []
    for layer in layers:
        last = steps[-1] if steps else None
        follows = type(layer) is Activation and is_bare(layer)
        if last and follows and last.activation is activations.linear and len(last.layers) == 1:
            steps[-1] = _Step([*last.layers, layer], layer.activation)
        else:
            steps.append(_Step([layer], layer.activation if _is_plain(layer) else None))
    return steps


def _chains(steps: Sequence[_Step]) -> Iterator[list[_Step]]:
    """The steps in order: small dense layers together, others by themselves."""
    chain: list[_Step] = []
    size = 0
    for step in steps:
        fits = step.activation is not None
        weights = step.dense.count_params() if fits else 0
        if chain and not (fits and size + weights <= MOST and chain[-1].name in ACTIVATIONS):
            yield chain
            chain, size = [], 0
        chain.append(step)
        size += weights
    if chain:
        yield chain


def _is_plain(layer: Any) -> bool:
    """Whether nothing happens in a layer but its product, in single precision."""
    return type(layer) is Dense and layer.built and not layer.lora_enabled and is_bare(layer)


def _takes(chain: Sequence[_Step], x: Any) -> bool:
    return (
        is_plain(x)
        and x.shape[1:] == (chain[0].dense._kernel.shape[0],)
        and worth(x.shape[0], sum(step.dense.count_params() for step in chain))
    )


def _call_chain(chain: Sequence[_Step], x: Any) -> Any:
    last = chain[-1].activation
    ends = "relu" if last is activations.relu else "linear"
    biases = (step.dense.bias for step in chain)
    y = dense_chain(
        x,
        [
            (step.dense._kernel.value, None if bias is None else bias.value)
            for step, bias in zip(chain, biases)
        ],
        [*(step.name for step in chain[:-1]), ends],
    )
    # Losses find what went into a sigmoid or softmax where the layer's own function leaves it.
    return y if ends == "relu" else last(y)
