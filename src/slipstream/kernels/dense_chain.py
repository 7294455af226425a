"""Small dense layers one after another as one operation, for their value and for their gradient.

To start an operation takes as long as the arithmetic of a layer of a few thousand weights. The
weights are one flat array here, as the train state of a small model keeps them (training/state.py):
then neither they nor their gradients are copied.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.kernels import forms, native

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid")  # as the native form numbers them
LAST = (*ACTIVATIONS, "softmax")  # what a `Network` may end with
MOST = 2**15  # weights of a chain
_WORK = 2**20  # products of weights and rows; above, each layer has several threads to itself
_ALONE = 2**21  # of these, too, up to which waking a thread takes longer than it saves
_functions = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}


def worth(rows: int, weights: int) -> bool:
    """Whether layers of so many weights together are quicker as one operation.

    Of an unknown number of rows, as `jax.export` may have it, they are not.
    """
    return isinstance(rows, int) and weights <= MOST and rows * weights <= _WORK


def dense_chain(x: Any, layers: Sequence[tuple[Any, Any]], activations: Sequence[str]) -> Any:
    """``activation(x @ matrix + bias)``, layer after layer: ``(rows, outputs of the last)``.

    Args:
        x: ``(rows, inputs)``, float32.
        layers: each one's matrix ``(inputs, outputs)`` and bias ``(outputs,)``, or None for none.
        activations: each one's, of `ACTIVATIONS`.
    """
    arrays = [array for layer in layers for array in layer if array is not None]
    weights = jnp.concatenate([jnp.ravel(array) for array in arrays])
    return _chain(
        x,
        weights,
        sizes=(layers[0][0].shape[0], *(matrix.shape[1] for matrix, _ in layers)),
        activations=tuple(map(ACTIVATIONS.index, activations)),
        biased=tuple(bias is not None for _, bias in layers),
    )[0]


class Network:
    """A chain with the present values of its weights, which works without a program.

    Args:
        sizes: numbers of a row, of the input and after each layer.
        activations: each layer's, of `ACTIVATIONS`; the last one's of `LAST`.
        places: addresses of each layer's matrix and bias, 0 for none; they are read at once.
    """

    def __init__(
        self, sizes: Sequence[int], activations: Sequence[str], places: Sequence[int]
    ) -> None:
        library = native.functions()
        assert library is not None
        layers = len(activations)
        plan = [*sizes, *map(LAST.index, activations), *(place != 0 for place in places[1::2])]
        address, count = ctypes.c_void_p, ctypes.c_int64
        make = ctypes.CFUNCTYPE(address, address, count, address)(("slipstream_network", library))
        self._network = make((count * len(plan))(*plan), layers, (address * len(places))(*places))
        kinds = (address, address, count, address, count)
        self._outputs = ctypes.CFUNCTYPE(None, *kinds)(("slipstream_network_outputs", library))
        free = ctypes.CFUNCTYPE(None, address)(("slipstream_network_free", library))
        weakref.finalize(self, free, self._network)
        self._units = sizes[-1]
        self._few = _ALONE // sum(map(prod, pairwise(sizes)))

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """``(rows, outputs)`` for contiguous float32 rows."""
        rows = len(x)
        y = np.empty((rows, self._units), np.float32)
        source, target = x.__array_interface__["data"][0], y.__array_interface__["data"][0]
        threads = native.threads() if rows > self._few else 1
        self._outputs(self._network, source, rows, target, threads)
        return y


def _reference(
    x: Any,
    weights: Any,
    *,
    sizes: tuple[int, ...],
    activations: tuple[int, ...],
    biased: tuple[bool, ...],
) -> tuple[tuple[Any], tuple[Any, Any]]:
    place, y, hidden = 0, x, []
    for (inputs, outputs), activation, has_bias in zip(pairwise(sizes), activations, biased):
        matrix = weights[place : place + inputs * outputs].reshape(inputs, outputs)
        place += matrix.size
        y = y @ matrix
        if has_bias:
            y = y + weights[place : place + outputs]
            place += outputs
        y = _functions[ACTIVATIONS[activation]](y)
        hidden.append(y.ravel())
    inner = jnp.concatenate(hidden[:-1]) if hidden[:-1] else jnp.zeros(0, x.dtype)
    return (y,), (inner, y)


def _compiled(
    x: Any,
    weights: Any,
    *,
    save: bool,
    sizes: tuple[int, ...],
    **how: Any,
) -> tuple[Any, ...]:
    rows = x.shape[0]
    results = [
        jax.ShapeDtypeStruct((rows, sizes[-1]), x.dtype),
        jax.ShapeDtypeStruct((rows * sum(sizes[1:-1]) if save else 0,), x.dtype),
    ]
    y, hidden = native.call("dense_chain", results, x, weights, sizes=sizes, **how)
    return (y, hidden, y) if save else (y,)


def _gradient(
    arrays: Any, saved: Any, cotangents: Any, *, places: tuple[int, ...], **how: Any
) -> list[Any]:
    x, weights = arrays
    inner = jax.ShapeDtypeStruct(x.shape if 0 in places else (0,), x.dtype)
    results = [jax.ShapeDtypeStruct(weights.shape, weights.dtype), inner]
    of_weights, of_x = native.call(
        "dense_chain_gradient", results, x, weights, *saved, *cotangents, **how
    )
    return [(of_x, of_weights)[place] for place in places]


def _supports(x: Any, weights: Any, **how: Any) -> bool:
    single = {str(array.dtype) for array in (x, weights)} == {"float32"}
    return single and x.size > 0 and 0 < weights.size <= MOST


def _flops(
    x: Any,
    weights: Any,
    *,
    sizes: tuple[int, ...],
    activations: tuple[int, ...],
    biased: tuple[bool, ...],
) -> float:
    """A row's products and sums, and one operation for each bias and each activation."""
    beside = (
        outputs * (has_bias + (activation > 0))
        for outputs, activation, has_bias in zip(sizes[1:], activations, biased)
    )
    return x.shape[0] * (2.0 * sum(map(prod, pairwise(sizes))) + sum(beside))


def _gradient_flops(x: Any, weights: Any, *, places: tuple[int, ...], **how: Any) -> float:
    first = 0.0 if 0 in places else 2.0 * prod(how["sizes"][:2])
    both = 2.0 * sum(map(prod, pairwise(how["sizes"])))
    return _flops(x, weights, **how) + x.shape[0] * (both - first)


_chain = forms.differentiable(
    "dense_chain",
    _reference,
    _compiled,
    _gradient,
    _supports,
    inputs=2,
    flops=_flops,
    gradient_flops=_gradient_flops,
    sparing=True,
)
