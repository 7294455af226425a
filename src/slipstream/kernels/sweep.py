"""The loop of a recurrence: a step function along time, with masks, either way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

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
        unroll: repeat the step in the program instead of looping over it, or so many in the loop.

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
    unroll: bool | int = False,
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
    output = jax.eval_shape(
        lambda x, s: step(jax.tree.map(lambda entry: entry[0], x), s)[0], inputs, states
    )
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
        return step(z + scaled_state(states[0], scale) @ kernel, states)

    return sweep(whole, z, states, before=states[0], **how)


def product_sweep(
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
        def left(states: Any) -> Any:
            return scaled_state(states[0], scale)

        def whole(z: Any, states: Any) -> tuple[Any, Any]:
            return step(z + left(states) @ kernel, states)

        return _scan(whole, z, states, mask=mask, before=states[0], record=left, **how)

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


def scaled_state(h: Any, scale: Any) -> Any:
    """``h * scale``, or `h` where there is no scale."""
    return h if scale is None else h * scale
