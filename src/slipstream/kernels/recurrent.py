"""Recurrences over whole sequences: LSTM, GRU, simple RNN, and any step function.

Sequences are ``(batch, time, features)``. The products with the input are taken for all steps in
one multiplication before the loop; the loop itself is a `lax.scan`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.core import registry

Activation = Callable[[Any], Any]
Step = Callable[[Any, Any], tuple[Any, Any]]


def sweep(step: Step, inputs: Any, states: Any, **how: Any) -> tuple[Any, Any]:
    """Apply `step` to each entry of the leading axis of `inputs`, handing the states on.

    Args:
        step: ``(input, states) -> (output, new states)``.
        inputs: ``(time, batch, …)``.
        states: pytree of arrays ``(batch, …)``; they keep their types.

    Keyword arguments:
        mask: ``(batch, time)`` bool. Where it is False a row keeps its states, and its output is
            the one of the step before (zero with `zero_output_for_mask`).
        before: ``(batch, …)``, what stands for the output before the first step; the first state
            if it has the output's shape, else zeros.
        return_sequences: give all outputs, ``(batch, time, …)``, in the order of the steps.
        go_backwards: start with the last entry.
        zero_output_for_mask: see `mask`.
        unroll: repeat the step in the program instead of looping over it.

    Returns:
        The last output, or all of them, and the last states.
    """
    outputs, states, _ = _scan(step, inputs, states, **how)
    return outputs, states


def _scan(
    step: Step,
    inputs: Any,
    states: Any,
    *,
    mask: Any = None,
    before: Any = None,
    return_sequences: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    unroll: bool = False,
    record: Callable[[Any], Any] = lambda states: None,
) -> tuple[Any, Any, Any]:
    """`sweep`, that also gives what `record` makes of the states before each step."""
    if before is None:
        before = _before(step, inputs, states)
    if mask is not None:
        mask = jnp.swapaxes(mask, 0, 1)

    def body(carry: tuple[Any, Any], entry: tuple[Any, Any]) -> tuple[tuple[Any, Any], Any]:
        last, old = carry
        x, keep = entry
        output, new = step(x, old)
        new = _like(new, old)
        if keep is not None:
            new = jax.tree.map(partial(_choose, keep), new, old)
            output = _choose(keep, output, jnp.zeros_like(output) if zero_output_for_mask else last)
        return (output, new), (output if return_sequences else None, record(old))

    entries = (inputs, mask)
    if jax.tree.leaves(inputs)[0].shape[0] == 1:
        (last, states), made = body((before, states), jax.tree.map(lambda a: a[0], entries))
        outputs, records = jax.tree.map(lambda a: a[None], made)
    else:
        (last, states), (outputs, records) = lax.scan(
            body, (before, states), entries, reverse=go_backwards, unroll=unroll
        )
    if not return_sequences:
        return last, states, records
    return jnp.swapaxes(outputs[::-1] if go_backwards else outputs, 0, 1), states, records


def _before(step: Step, inputs: Any, states: Any) -> Any:
    output = jax.eval_shape(lambda x, s: step(x[0], s)[0], inputs, states)
    first = jax.tree.leaves(states)[0]
    if (first.shape, first.dtype) == (output.shape, output.dtype):
        return first
    return jnp.zeros(output.shape, output.dtype)


def _like(new: Any, old: Any) -> Any:
    """`new` with the structure and types of `old`."""
    leaves, structure = jax.tree.flatten(old)
    values = jax.tree.leaves(new)
    if len(values) != len(leaves):
        raise ValueError(
            f"The cell got {len(leaves)} states and returned {len(values)}. Return the output and "
            "a list with one new state for each old one."
        )
    return jax.tree.unflatten(structure, [a.astype(b.dtype) for a, b in zip(values, leaves)])


def _choose(keep: Any, new: Any, old: Any) -> Any:
    return jnp.where(keep.reshape(keep.shape + (1,) * (new.ndim - keep.ndim)), new, old)


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
    if axis == -1 and _is(activation, "tanh") and _is(recurrent_activation, "sigmoid"):
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


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile calls outside of any program, and choose how to differentiate.

    Activations of the user's own may hold variables, whose values a compiled program would keep
    and whose gradients a rule of our own would miss. With those, JAX differentiates the loop.
    """
    compiled = jax.jit(partial(function, _product_sweep), static_argnames=_CHOICES)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if all(registry.is_ours(value) for value in kwargs.values() if callable(value)):
            return compiled(*args, **kwargs)
        return function(plain_product_sweep, *args, **kwargs)

    return call


def plain_product_sweep(
    step: Step,
    z: Any,
    states: Any,
    kernel: Any,
    scale: Any = None,
    **how: Any,
) -> tuple[Any, Any]:
    """A `sweep` of ``step(z + h @ kernel, states)``, where `h` is the first state.

    Args:
        z: ``(time, batch, n)``.
        kernel: ``(units, n)``.
        scale: ``(batch, units)`` or None, multiplied to `h` before the product.
        how: see `sweep`.
    """

    def whole(z: Any, states: Any) -> tuple[Any, Any]:
        return step(z + _scaled(states[0], scale) @ kernel, states)

    return sweep(whole, z, states, before=states[0], **how)


def _product_sweep(
    step: Step,
    z: Any,
    states: Any,
    kernel: Any,
    scale: Any = None,
    mask: Any = None,
    **how: Any,
) -> tuple[Any, Any]:
    """`plain_product_sweep`, with a faster gradient for `kernel`.

    Differentiation of the loop adds to it at each step, a product and a pass over the whole
    gradient. Here it is one product over all steps, after the loop.
    """

    def scan(z: Any, states: Any, kernel: Any, scale: Any, mask: Any) -> Any:
        def scaled(states: Any) -> Any:
            return _scaled(states[0], scale)

        def whole(z: Any, states: Any) -> tuple[Any, Any]:
            return step(z + scaled(states) @ kernel, states)

        return _scan(whole, z, states, mask=mask, before=states[0], record=scaled, **how)

    @jax.custom_vjp
    def run(*args: Any) -> Any:
        return scan(*args)[:2]

    def forward(z: Any, states: Any, kernel: Any, scale: Any, mask: Any) -> Any:
        def loop(z: Any, states: Any, scale: Any) -> Any:
            outputs, last, lefts = scan(z, states, kernel, scale, mask)
            return (outputs, last), lefts

        result, through_loop, lefts = jax.vjp(loop, z, states, scale, has_aux=True)
        return result, (through_loop, lefts)

    def backward(residuals: Any, cotangents: Any) -> Any:
        through_loop, lefts = residuals
        dz, dstates, dscale = through_loop(cotangents)
        exact = jnp.promote_types(dz.dtype, jnp.float32)
        dkernel = jnp.einsum("tbi,tbj->ij", lefts, dz, preferred_element_type=exact)
        return dz, dstates, dkernel.astype(dz.dtype), dscale, None

    run.defvjp(forward, backward)
    return run(z, states, kernel, scale, mask)


def _scaled(h: Any, scale: Any) -> Any:
    return h if scale is None else h * scale


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
    gate_kernel, candidate_kernel = recurrent_kernel[:, :width], recurrent_kernel[:, width:]
    z = project(x, kernel, bias)
    gates, candidates = z[..., :width], z[..., width:]
    inner_bias: Any = 0
    if recurrent_bias is not None:
        gates, inner_bias = gates + recurrent_bias[:width], recurrent_bias[width:]

    def step(entry: tuple[Any, Any], states: Any) -> tuple[Any, Any]:
        (gate, candidate), h = entry, states[0]
        scaled = _scaled(h, scale)
        update, reset = jnp.split(gate + scaled @ gate_kernel, 2, -1)
        update, reset = recurrent_activation(update), recurrent_activation(reset)
        if reset_after:
            candidate = candidate + reset * (scaled @ candidate_kernel + inner_bias)
        else:
            candidate = candidate + (reset * scaled) @ candidate_kernel
        h = update * h + (1 - update) * activation(candidate)
        return h, [h]

    return sweep(step, (gates, candidates), states, before=states[0], **how)
