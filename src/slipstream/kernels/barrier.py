"""Gradients that wait for each other, so that weights are overwritten where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import jax

from slipstream.kernels import forms, native

_MANY = 2**19  # numbers, which are slow to copy


def all_computed(gradients: Sequence[Any]) -> list[Any]:
    """The same gradients, none of which a program may use before all are computed.

    Nothing reads a weight any more when an optimizer overwrites it then. Otherwise the compiler,
    which inserts copies before it orders what a step does, copies each weight that both directions
    of a layer read, twice a step; its own ``optimization_barrier`` is gone by then. Where weights
    are few, copies cost less than updates that may not run beside the backward pass.

    Args:
        gradients: of all weights, any shapes and dtypes.
    """
    if sum(prod(gradient.shape) for gradient in gradients) < _MANY:
        return list(gradients)
    return list(_barrier.bind(*gradients))


def _reference(*arrays: Any) -> tuple[Any, ...]:
    return arrays


def _compiled(*arrays: Any) -> tuple[Any, ...]:
    results = [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in arrays]
    places = {i: i for i in range(len(arrays))}
    return tuple(native.call("barrier", results, *arrays, aliases=places))


_barrier = forms.operation("barrier", _reference, _compiled, lambda *arrays: True, multiple=True)
