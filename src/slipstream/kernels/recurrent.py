"""LSTM, GRU and simple RNN over whole sequences ``(batch, time, features)``.

The products with the input are taken for all steps in one multiplication before the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.core import registry
from slipstream.kernels import cells
from slipstream.kernels.sweep import (
    plain_product_sweep,
    product_sweep,
    scaled_state,
    sweep,
)

Activation = Callable[[Any], Any]


def project(x: Any, kernel: Any, bias: Any) -> Any:
    """``x @ kernel + bias`` for all steps: ``(batch, time, n)`` to ``(time, batch, m)``."""
    z = jnp.swapaxes(x, 0, 1) @ kernel
    return z if bias is None else z + bias


# ---- what one step does with the products ----------------------------------------------------


def lstm_update(
    z: Any, c: Any, activation: Activation, recurrent_activation: Activation, axis: int = -1
) -> tuple[Any, Any]:
    """New ``(h, c)`` of an LSTM (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).

    Args:
        z: inputs of the gates, along `axis`: input, forget, cell and output gate.
        c: the memory.
    """
    if axis == -1 and _usual(activation, recurrent_activation):
        return _usual_lstm_update(z, c)
    i, f, g, o = jnp.split(z, 4, axis)
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    return recurrent_activation(o) * activation(c), c


@jax.custom_vjp
def _usual_lstm_update(z: Any, c: Any) -> tuple[Any, Any]:
    # XLA's CPU code for sigmoids of slices is slow. One for all gates, the cell's too, is not, if
    # the barrier keeps it apart from the slicing.
    i, f, _, o = jnp.split(lax.optimization_barrier(jax.nn.sigmoid(z)), 4, -1)
    c = f * c + i * jnp.tanh(jnp.split(z, 4, -1)[2])
    return o * jnp.tanh(c), c


def _lstm_forward(z: Any, c: Any) -> Any:
    i, f, g, o = jnp.split(z, 4, -1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    new = f * c + i * g
    read = jnp.tanh(new)
    return (o * read, new), (c, i, f, g, o, read)


def _lstm_backward(residuals: Any, cotangents: Any) -> Any:
    c, i, f, g, o, read = residuals
    dh, dc = cotangents
    dc = dc + dh * o * (1 - read * read)
    gates = [dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)]
    return jnp.concatenate([*gates, dh * read * o * (1 - o)], -1), dc * f


_usual_lstm_update.defvjp(_lstm_forward, _lstm_backward)


def _is(activation: Activation, name: str) -> bool:
    return registry.is_ours(activation) and activation.__name__ == name  # type: ignore[attr-defined]


def _usual(activation: Activation, recurrent_activation: Activation) -> bool:
    return _is(activation, "tanh") and _is(recurrent_activation, "sigmoid")


# ---- whole sequences -------------------------------------------------------------------------

_CHOICES = (
    "activation",
    "recurrent_activation",
    "reset_after",
    "return_sequences",
    "go_backwards",
    "zero_output_for_mask",
    "unroll",
)


def _steps_a_round() -> int:
    """Steps in one round of a compiled loop. Of eight, a GPU's step took two thirds of the time."""
    return 8 if jax.default_backend() == "gpu" else 1


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile calls outside of any program, and choose how to differentiate.

    Activations of the user's own may hold variables, whose values a compiled program would keep
    and whose gradients a rule of our own would miss. With those, JAX differentiates the loop.
    """
    compiled = jax.jit(partial(function, product_sweep), static_argnames=_CHOICES)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        kwargs["unroll"] = kwargs.get("unroll") or _steps_a_round()
        if all(registry.is_ours(value) for value in kwargs.values() if callable(value)):
            return compiled(*args, **kwargs)
        return function(plain_product_sweep, *args, **kwargs)

    return call


@_whole
def simple_rnn(
    sweep_products: Callable[..., Any],
    x: Any,
    states: Any,
    *,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    activation: Activation,
    scale: Any = None,
    **how: Any,
) -> tuple[Any, Any]:
    """A simple RNN: ``h = activation(x @ kernel + h @ recurrent_kernel + bias)`` (Elman, 1990).

    Args:
        x: ``(batch, time, features)``.
        states: ``[h]``, ``(batch, units)``.
        kernel: ``(features, units)``.
        recurrent_kernel: ``(units, units)``.
        bias: ``(units,)`` or None.
        scale: ``(batch, units)`` or None, multiplied to `h` before each product (dropout).
        how: see `sweep`.
    """

    weights = cells.Weights(kernel, recurrent_kernel, bias, scale)
    for cell in ("tanh", "relu"):
        if _is(activation, cell) and cells.fits(x, states, weights):
            return cells.run(cell, x, states, weights, **how)

    def step(z: Any, states: Any) -> tuple[Any, Any]:
        h = activation(z)
        return h, [h]

    z = project(x, kernel, bias)
    return sweep_products(step, z, states, recurrent_kernel, scale, **how)


@_whole
def lstm(
    sweep_products: Callable[..., Any],
    x: Any,
    states: Any,
    *,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    activation: Activation,
    recurrent_activation: Activation,
    scale: Any = None,
    **how: Any,
) -> tuple[Any, Any]:
    """An LSTM; see `lstm_update`.

    Args:
        x: ``(batch, time, features)``.
        states: ``[h, c]``, each ``(batch, units)``.
        kernel: ``(features, 4 * units)``: input, forget, cell and output gate.
        recurrent_kernel: ``(units, 4 * units)``.
        bias: ``(4 * units,)`` or None.
        scale: ``(batch, units)`` or None, multiplied to `h` before each product (dropout).
        how: see `sweep`.
    """

    weights = cells.Weights(kernel, recurrent_kernel, bias, scale)
    if _usual(activation, recurrent_activation) and cells.fits(x, states, weights):
        return cells.run("lstm", x, states, weights, **how)

    def step(z: Any, states: Any) -> tuple[Any, Any]:
        h, c = lstm_update(z, states[1], activation, recurrent_activation)
        return h, [h, c]

    z = project(x, kernel, bias)
    return sweep_products(step, z, states, recurrent_kernel, scale, **how)


@_whole
def gru(
    _: Callable[..., Any],
    x: Any,
    states: Any,
    *,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    recurrent_bias: Any = None,
    activation: Activation,
    recurrent_activation: Activation,
    reset_after: bool = True,
    scale: Any = None,
    **how: Any,
) -> tuple[Any, Any]:
    """A GRU (Cho et al., 2014): ``h = update * h + (1 - update) * candidate``.

    Args:
        x: ``(batch, time, features)``.
        states: ``[h]``, ``(batch, units)``.
        kernel: ``(features, 3 * units)``: update gate, reset gate and candidate.
        recurrent_kernel: ``(units, 3 * units)``.
        bias: ``(3 * units,)`` or None.
        recurrent_bias: the same with `reset_after`, else None.
        reset_after: the reset gate works on the product of the state with `recurrent_kernel`, as in
            cuDNN; otherwise on the state.
        scale: ``(batch, units)`` or None, multiplied to `h` before each product (dropout).
        how: see `sweep`.
    """
    width = 2 * recurrent_kernel.shape[0]
    whole_bias = _gru_bias(bias, recurrent_bias, width) if reset_after else bias
    weights = cells.Weights(kernel, recurrent_kernel, whole_bias, scale)
    if _usual(activation, recurrent_activation) and cells.fits(x, states, weights):
        cell = "gru" if reset_after else "gru_reset_first"
        return cells.run(cell, x, states, weights, **how)
    gate_kernel, candidate_kernel = recurrent_kernel[:, :width], recurrent_kernel[:, width:]
    z = project(x, kernel, bias)
    gates, candidates = z[..., :width], z[..., width:]
    inner_bias: Any = 0
    if recurrent_bias is not None:
        gates, inner_bias = gates + recurrent_bias[:width], recurrent_bias[width:]

    def step(entry: tuple[Any, Any], states: Any) -> tuple[Any, Any]:
        (gate, candidate), h = entry, states[0]
        scaled = scaled_state(h, scale)
        update, reset = jnp.split(gate + scaled @ gate_kernel, 2, -1)
        update, reset = recurrent_activation(update), recurrent_activation(reset)
        if reset_after:
            candidate = candidate + reset * (scaled @ candidate_kernel + inner_bias)
        else:
            candidate = candidate + (reset * scaled) @ candidate_kernel
        h = update * h + (1 - update) * activation(candidate)
        return h, [h]

    return sweep(step, (gates, candidates), states, before=states[0], **how)


def _gru_bias(bias: Any, recurrent_bias: Any, width: int) -> Any:
    """Both biases of the gates in one, the candidate's, and that of its product with the state."""
    if bias is None or recurrent_bias is None:
        return bias
    gates = bias[:width] + recurrent_bias[:width]
    return jnp.concatenate([gates, bias[width:], recurrent_bias[width:]])
