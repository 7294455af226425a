"""A layer of Slipstream or of Keras as compiled functions of arrays on the device."""

from __future__ import annotations

import inspect
import os
from contextlib import nullcontext
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("SLIPSTREAM_CACHE", "off")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax
import numpy as np

from bench.layers import slipstream_
from bench.layers.case import (
    Case,
    Program,
    cotangent_like,
    inputs_of,
    weights_like,
)
from bench.layers.rows import Row
from bench.layers.rows.row import BACKWARD, FORWARD
from slipstream.core.layer import Layer
from slipstream.core.random import key_from
from slipstream.core.scope import Scope


def build(library: Any, row: Row) -> Any | None:
    """The row's layer in a library, or None where the library has no such layer."""
    if not hasattr(library, row.family):
        return None
    if row.wraps:
        inner = [_zeros(library, name, arguments) for name, arguments in row.wraps]
        one = inner[0] if len(inner) == 1 else inner
        return getattr(library, row.family)(one, **row.arguments)
    return _zeros(library, row.family, row.arguments)


def case_of(row: Row) -> tuple[Case, Layer] | None:
    """The row's numbers and Slipstream's layer with them, or None while there is none."""
    layer = build(slipstream_, row)
    if layer is None:
        return None
    inputs, extras = inputs_of(row)
    shape = _build(layer, slipstream_, row)
    weights = weights_like([w.path for w in layer.weights], [w.shape for w in layer.weights])
    layer.set_weights(weights)
    return Case(row, inputs, extras, weights, cotangent_like(shape)), layer


def keras_layer(case: Case) -> Any | None:
    """Keras' layer with the case's weights, or None where it has no such layer."""
    from bench.layers import keras_

    layer = build(keras_, case.row)
    if layer is None:
        return None
    _build(layer, keras_, case.row)
    for weight, value in zip(layer.weights, case.weights, strict=True):
        weight.assign(value)
    return layer


def programs(layer: Any, case: Case) -> dict[str, Program]:
    """The modes of a row in a layer of Slipstream or Keras."""
    row = case.row
    if row.host:
        return _on_host(layer, case)
    trainable, fixed = jax.device_put(
        [
            [np.asarray(variable.value) for variable in group]
            for group in (layer.trainable_variables, layer.non_trainable_variables)
        ]
    )
    inputs, extras, cotangent = jax.device_put((case.inputs, case.extras, case.cotangent))
    seed = jax.device_put(np.uint32(0))
    takes_training = "training" in inspect.signature(layer.call).parameters

    def call(
        training: bool, trainable: Any, fixed: Any, x: list[Any], extras: Any, seed: Any
    ) -> Any:
        ours = isinstance(layer, Layer)
        with Scope(key=key_from(seed)).active() if ours else nullcontext():
            arguments = _arguments(row, x)
            mode = {"training": training} if takes_training else {}
            return layer.stateless_call(trainable, fixed, *arguments, **row.call, **extras, **mode)

    @jax.jit
    def forward(trainable: Any, fixed: Any, x: Any, extras: Any, seed: Any) -> Any:
        return call(row.random, trainable, fixed, x, extras, seed)[0]

    @jax.jit
    def backward(trainable: Any, fixed: Any, x: Any, extras: Any, seed: Any, cotangent: Any) -> Any:
        if row.ids:
            outputs, pull, new = jax.vjp(
                lambda t: call(True, t, fixed, x, extras, seed), trainable, has_aux=True
            )
        else:
            outputs, pull, new = jax.vjp(
                lambda t, x: call(True, t, fixed, x, extras, seed), trainable, x, has_aux=True
            )
        return outputs, pull(cotangent), new

    def run_forward() -> Any:
        return forward(trainable, fixed, inputs, extras, seed).block_until_ready()

    def run_backward() -> Any:
        result = backward(trainable, fixed, inputs, extras, seed, cotangent)
        result[0].block_until_ready()  # all results of a program come at once
        return result

    def arrays() -> list[np.ndarray]:
        outputs, gradients, _ = run_backward()
        shown = gradients[0][:1] if row.ids else gradients[1]
        return [np.asarray(array) for array in (outputs, *shown)]

    found = {
        FORWARD: Program(run_forward, lambda: [np.asarray(run_forward())]),
        BACKWARD: Program(run_backward, arrays),
    }
    return {mode: found[mode] for mode in row.modes}


def _on_host(layer: Any, case: Case) -> dict[str, Program]:
    """A layer that is called on NumPy arrays, outside any compiled program."""

    def run() -> Any:
        return np.asarray(layer(*_arguments(case.row, case.inputs), **case.row.call))

    return {FORWARD: Program(run, lambda: [run()])}


def _arguments(row: Row, inputs: list[Any]) -> list[Any]:
    """What a layer is called on: its input, query and value, or a list of inputs."""
    if row.inputs > 1:
        return [inputs]
    return inputs * 2 if row.twice else inputs


def _zeros(library: Any, name: str, arguments: dict[str, Any]) -> Any:
    """A layer whose weights start as zeros, which are quick to make; others take their place."""
    kind = getattr(library, name)
    initializers = [n for n in inspect.signature(kind).parameters if n.endswith("initializer")]
    return kind(**arguments, **dict.fromkeys(initializers, "zeros"))


def _build(layer: Any, library: Any, row: Row) -> tuple[int, ...]:
    """Build a layer by a call on symbols, which compiles nothing; the shape of the outputs."""
    dtype = "string" if row.words else "int32" if row.ids else "float32"
    symbols = [library.Input(batch_shape=row.shape, dtype=dtype) for _ in range(row.inputs)]
    return tuple(layer(*_arguments(row, symbols), **row.call).shape)
