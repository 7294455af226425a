"""A convolution or dense layer, the batch normalization behind it and a ReLU as one operation.

In prediction a batch normalization multiplies each channel by a number and adds another one, which
the operation before it does to its sums for nothing. By itself it reads and writes all of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax

from slipstream import activations
from slipstream.core import masks
from slipstream.core.layer import Layer
from slipstream.core.scope import current_scope
from slipstream.kernels.finish import AS_THEY_ARE
from slipstream.layers.activation import Activation, ReLU
from slipstream.layers.batch_normalization import BatchNormalization
from slipstream.layers.convolution import ScalableConv
from slipstream.layers.dense import Dense


def call_each(layers: Sequence[Layer], x: Any) -> Any:
    """Feed `x` through layers, one after another."""
    left: list[Any] = list(layers)
    while left:
        if _folds(left, x):
            left[0]._check((x,))
            top = _top(left[2]) if len(left) > 2 else AS_THEY_ARE
            x = left[0].scaled(x, *left[1].in_prediction(left[0].bias), top)
            left = left[2 if top < 0 else 3 :]
        else:
            x = left.pop(0)(x)
    return x


def is_bare(layer: Any) -> bool:
    """Whether nothing happens beside a layer's own `call`, in single precision."""
    return (
        "call" not in vars(layer)
        and layer.activity_regularizer is None
        and layer._remat is None
        and layer.compute_dtype == "float32"
        and all(variable.dtype == "float32" for variable in layer.variables)
    )


def is_plain(x: Any) -> bool:
    """Whether a layer gets this as it is: an array in single precision, without a mask."""
    scope = current_scope()
    return (
        isinstance(x, jax.Array)
        and x.dtype == "float32"
        and masks.of(x) is None
        and (scope is None or scope.autocast in (None, "float32"))
    )


def _folds(layers: Sequence[Any], x: Any) -> bool:
    scope = current_scope()
    if len(layers) < 2 or scope is None or scope.training is not False or not is_plain(x):
        return False
    first, norm = layers[:2]
    return (
        _is_foldable(first)
        and type(norm) is BatchNormalization
        and norm.axis in (-1, x.ndim - 1)
        and all(layer.built and is_bare(layer) for layer in (first, norm))
    )


def _is_foldable(layer: Any) -> bool:
    kind = type(layer)
    if kind is Dense:
        plain = not layer.lora_enabled
    else:
        own = (getattr(kind, "call", None), kind.__call__)
        plain = own == (ScalableConv.call, Layer.__call__) and layer.channels_last
    return plain and layer.activation is activations.linear


def _top(layer: Any) -> float:
    """The greatest value of what a ReLU gives; negative for another layer."""
    if type(layer) is ReLU and layer.negative_slope == layer.threshold == 0 and is_bare(layer):
        return math.inf if layer.max_value is None else layer.max_value
    if type(layer) is Activation and is_bare(layer):
        return next((top for each, top in _TOPS if each is layer.activation), AS_THEY_ARE)
    return AS_THEY_ARE


_TOPS = [(activations.relu, math.inf), (activations.relu6, 6.0)]
