"""Branches and loops, and functions applied along axes.

Arrays may come in any nested structure; functions are called while the program is traced.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, Index, operation
from slipstream.core.variable import Variable

op = operation("core")


def _arrays(tree: Any) -> Any:
    """Every leaf as an array."""
    return jax.tree.map(
        lambda leaf: jnp.asarray(leaf.value if isinstance(leaf, Variable) else leaf), tree
    )


@op
def cond(pred: Array, true_fn: Index, false_fn: Index) -> Any:
    """``true_fn()`` if `pred` holds, else ``false_fn()``; both give the same structure."""
    if isinstance(pred, jax.core.Tracer):
        return jax.lax.cond(jnp.asarray(pred, bool), true_fn, false_fn)
    return true_fn() if pred else false_fn()


@op
def switch(index: Array, branches: Index, *operands: Index) -> Any:
    """``branches[index](*operands)``; an index out of bounds takes the nearest branch."""
    return jax.lax.switch(jnp.asarray(index), branches, *_arrays(operands))


@op
def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Index,
    maximum_iterations: int | None = None,
) -> Any:
    """Repeat ``loop_vars = body(*loop_vars)`` while ``cond(*loop_vars)`` holds.

    Args:
        loop_vars: a tuple or list of arrays, or one array.
        maximum_iterations: stop after so many at the latest.
    """
    several = isinstance(loop_vars, (tuple, list))

    def step(state: Any) -> Any:
        count, values = state
        new = body(*values)
        new = tuple(new) if isinstance(new, (tuple, list)) else (new,)
        kept = jax.tree.map(lambda a, b: jnp.asarray(a, b.dtype), new, values)
        return count + 1, kept

    def goes_on(state: Any) -> Any:
        count, values = state
        holds = cond(*values)
        if maximum_iterations is None:
            return holds
        return jnp.logical_and(holds, count < maximum_iterations)

    start = tuple(loop_vars) if several else (loop_vars,)
    values = jax.lax.while_loop(goes_on, step, (jnp.int32(0), _arrays(start)))[1]
    return values if several else values[0]


@op
def fori_loop(lower: Index, upper: Index, body_fun: Callable[..., Any], init_val: Index) -> Any:
    """``value = body_fun(i, value)`` for each i from `lower` up to but without `upper`."""
    return jax.lax.fori_loop(lower, upper, body_fun, _arrays(init_val))


@op
def scan(
    f: Index,
    init: Index,
    xs: Index = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> Any:
    """``carry, y = f(carry, x)`` for each x along the first axis of `xs`.

    Args:
        init: the first carry.
        xs: arrays ``(steps, …)``, or None with `length` steps.
        reverse: from the last to the first.
        unroll: steps that are written out one after the other in the program.

    Returns:
        The last carry, and all y stacked along a first axis.
    """
    xs = None if xs is None else _arrays(xs)
    return jax.lax.scan(f, _arrays(init), xs, length, reverse, unroll)


@op
def associative_scan(f: Index, elems: Index, reverse: bool = False, axis: int = 0) -> Any:
    """``f`` over all elements up to each, for an associative `f`, in few parallel steps."""
    return jax.lax.associative_scan(f, _arrays(elems), reverse, axis)


@op
def map(f: Index, xs: Index) -> Any:
    """``f(x)`` for each x along the first axis of `xs`, one after the other, stacked."""
    return jax.lax.map(f, _arrays(xs))


@op
def vectorized_map(function: Callable[..., Any], elements: Index) -> Any:
    """``function(x)`` for each x along the first axis of `elements`, all at once."""
    return jax.vmap(function)(_arrays(elements))


def vectorize(pyfunc: Callable[..., Any], *, excluded: Any = None, signature: Any = None) -> Any:
    """A function of single elements (or of axes that `signature` names) made one of arrays."""
    return jnp.vectorize(pyfunc, excluded=excluded or set(), signature=signature)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose gradient it gives itself.

    Args:
        f: gives ``(output, gradient)``, where ``gradient(upstream)`` gives the gradient of each
            argument from that of the output.
    """

    differentiable = jax.custom_gradient(f)

    def apply(*args: Any) -> Any:
        return differentiable(*_arrays(args))

    return update_wrapper(apply, f)
