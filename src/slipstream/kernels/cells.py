"""Recurrent cells that have a compiled form of the whole loop, value and gradient.

The product of all inputs with their kernel comes before the loop, and the gradient of the
recurrent kernel after it, each as one product over all steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.kernels import cells_on_gpu, forms, native
from slipstream.kernels.dense import product, weight_gradient

# By the numbers they have in native/recurrent_cells.h.
CELLS = ("lstm", "gru", "gru_reset_first", "tanh", "relu")


class Weights(NamedTuple):
    """What multiplies and is added.

    Attributes:
        kernel: ``(features, gates * units)``.
        recurrent_kernel: ``(units, gates * units)``.
        bias: ``(gates * units,)`` or None. A GRU's has a fourth part, added to the product that
            the reset gate works on.
        scale: ``(batch, units)`` or None, multiplied to the state before each product.
    """

    kernel: Any
    recurrent_kernel: Any
    bias: Any
    scale: Any


def fits(x: Any, states: Any, weights: Weights) -> bool:
    """Whether the compiled form can run, and is of use: a single step is no loop."""
    given = [array for array in (x, *states, *weights) if array is not None]
    if jax.default_backend() == "gpu":
        units, wide = weights.recurrent_kernel.shape
        runs = cells_on_gpu.fits(x.shape[0], x.shape[1], units, wide, x.dtype)
    else:
        runs = jax.default_backend() == "cpu" and native.library() is not None
    return runs and forms.floats(*given) and x.shape[1] > 1 and all(array.size for array in given)


def run(
    cell: str,
    x: Any,
    states: Any,
    weights: Weights,
    *,
    mask: Any = None,
    return_sequences: bool = False,
    go_backwards: bool = False,
    zero_output_for_mask: bool = False,
    unroll: bool | int = False,
) -> tuple[Any, Any]:
    """Outputs and last states of one of `CELLS`, as `sweep.sweep` gives them.

    Args:
        unroll: changes nothing.
    """
    none = jnp.zeros((0,), x.dtype)
    bias, scale = weights.bias, weights.scale
    if bias is None:
        units, columns = weights.recurrent_kernel.shape
        bias = jnp.zeros(columns + (units if cell == "gru" else 0), x.dtype)
    outputs, memory = loop(
        product(x, weights.kernel),
        bias,
        weights.recurrent_kernel,
        states[0],
        states[1] if len(states) > 1 else none,
        none if scale is None else scale,
        none if mask is None else mask.astype(bool),
        cell=cell,
        reverse=go_backwards,
        sequences=return_sequences,
    )
    last = outputs[:, -1] if return_sequences else outputs
    if mask is not None and zero_output_for_mask:
        kept = (mask[:, ::-1] if go_backwards else mask)[:, slice(None) if return_sequences else -1]
        outputs = jnp.where(kept[..., None], outputs, 0)
    return outputs, [last, memory][: len(states)]


def _kernel_gradient(left: Any, right: Any) -> Any:
    """Sum over batch and time of the outer products of ``(batch, time, …)``."""
    left, right = (array.reshape(-1, array.shape[-1]) for array in (left, right))
    return weight_gradient(left, right)


# ---- what one step is: (z, bias, kernel, h, left, c) to (h, c, gates, extra) -------------------


def _lstm(z: Any, bias: Any, kernel: Any, h: Any, left: Any, c: Any) -> Any:
    i, f, g, o = jnp.split(z + bias + left @ kernel, 4, -1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    new = f * c + i * g
    return o * jnp.tanh(new), new, jnp.concatenate([i, f, g, o], -1), c


def _gru(z: Any, bias: Any, kernel: Any, h: Any, left: Any, c: Any) -> Any:
    outer, inner_bias = jnp.split(bias, [z.shape[-1]])
    u, r, candidate = jnp.split(z + outer, 3, -1)
    for_update, for_reset, inner = jnp.split(left @ kernel, 3, -1)
    u, r, inner = jax.nn.sigmoid(u + for_update), jax.nn.sigmoid(r + for_reset), inner + inner_bias
    candidate = jnp.tanh(candidate + r * inner)
    return u * h + (1 - u) * candidate, c, jnp.concatenate([u, r, candidate], -1), inner


def _gru_reset_first(z: Any, bias: Any, kernel: Any, h: Any, left: Any, c: Any) -> Any:
    width = 2 * h.shape[-1]
    z = z + bias
    gates = jax.nn.sigmoid(z[..., :width] + left @ kernel[:, :width])
    u, r = jnp.split(gates, 2, -1)
    candidate = jnp.tanh(z[..., width:] + (r * left) @ kernel[:, width:])
    return u * h + (1 - u) * candidate, c, jnp.concatenate([gates, candidate], -1), r * left


def _simple(activation: Any) -> Any:
    def step(z: Any, bias: Any, kernel: Any, h: Any, left: Any, c: Any) -> Any:
        h = activation(z + bias + left @ kernel)
        return h, c, h, None

    return step


_STEPS = dict(zip(CELLS, (_lstm, _gru, _gru_reset_first, _simple(jnp.tanh), _simple(jax.nn.relu))))


# ---- the loop ----------------------------------------------------------------------------------


def _reference(
    z: Any,
    bias: Any,
    kernel: Any,
    h: Any,
    c: Any,
    scale: Any,
    mask: Any,
    *,
    cell: str,
    reverse: bool,
    sequences: bool,
) -> tuple[Any, Any]:
    """All steps of a cell.

    Args:
        z: ``(batch, time, gates * units)``, the products with the inputs.
        bias, kernel, scale: see `Weights`.
        h: ``(batch, units)``, the state.
        c: likewise, the memory of an LSTM.
        mask: ``(batch, time)`` bool.
        reverse: start at the end.
        sequences: give the states after each step, not only the last.

    An array of no elements stands for one that there is not.

    Returns:
        The states and the last memory; and, saved, the gates, what else the gradient needs of
        each step, and the states before it.
    """

    def body(states: Any, entry: Any) -> Any:
        (h, c), (z, keep) = states, entry
        left = h * scale if scale.size else h
        new, new_c, gates, extra = _STEPS[cell](z, bias, kernel, h, left, c)
        if keep is not None:
            new = jnp.where(keep[:, None], new, h)
            new_c = jnp.where(keep[:, None], new_c, c) if c.size else c
        return (new, new_c), (new, gates, extra, h)

    entries = (jnp.swapaxes(z, 0, 1), mask.T if mask.size else None)
    (last, memory), steps = lax.scan(body, (h, c), entries, reverse=reverse)
    states, *saved = jax.tree.map(lambda array: jnp.swapaxes(array, 0, 1), steps)
    if reverse:
        states = states[:, ::-1]
    saved = [jnp.zeros((0,), z.dtype) if array is None else array for array in saved]
    return (states if sequences else last, memory), tuple(saved)


def _compiled(*arrays: Any, save: bool, cell: str, reverse: bool, sequences: bool) -> Any:
    z, _, _, h, c, _, _ = arrays
    (batch, time, _), units = z.shape, h.shape[1]

    def like(*shape: int) -> Any:
        return jax.ShapeDtypeStruct(shape, z.dtype)

    results = [like(batch, time, units) if sequences else like(batch, units), like(*c.shape)]
    if save:
        extra = (0,) if cell in ("tanh", "relu") else (batch, time, units)
        results += [like(*z.shape), like(*extra), like(batch, time, units)]
    return native.call(
        "recurrent_saving" if save else "recurrent",
        results,
        *arrays,
        aliases={0: 2} if save else None,
        cell=CELLS.index(cell),
        reverse=reverse,
        all=sequences,
    )


def _compiled_gradient(
    arrays: Any, saved: Any, cotangents: Any, *, cell: str, reverse: bool, sequences: bool
) -> Any:
    z, bias, kernel, h, c, scale, mask = arrays
    gates, extra, before = saved
    found = (z, z if cell == "gru" else scale[:0], bias, h, c, scale)
    dz, dinner, dbias, dh, dc, dscale = native.call(
        "recurrent_gradient",
        [jax.ShapeDtypeStruct(array.shape, array.dtype) for array in found],
        *(kernel, scale, mask, gates, extra, before, *cotangents),
        aliases={3: 0},
        cell=CELLS.index(cell),
        reverse=reverse,
        all=sequences,
    )
    dkernel = _kernel_cotangent(cell, arrays, saved, dz, dinner if cell == "gru" else dz)
    return dz, dbias, dkernel, dh, dc, dscale


def _kernel_cotangent(cell: str, arrays: Any, saved: Any, dz: Any, dproducts: Any) -> Any:
    """Of the recurrent kernel; `dproducts` is the cotangent of what is multiplied with it."""
    scale = arrays[5]
    _, extra, before = saved
    left = before * scale[:, None] if scale.size else before
    if cell != "gru_reset_first":
        return _kernel_gradient(left, dproducts)
    width = 2 * before.shape[-1]
    parts = [(left, dz[..., :width]), (extra, dz[..., width:])]
    return jnp.concatenate([_kernel_gradient(*part) for part in parts], 1)


def _gradient_on_gpu(arrays: Any, saved: Any, cotangents: Any, *, cell: str, **how: Any) -> Any:
    dz, inner, dh, dc, dscale = cells_on_gpu.gradient(arrays, saved, cotangents, cell=cell, **how)
    dproducts, parts = dz, [dz]
    if inner is not None:
        dproducts = jnp.concatenate([dz[..., : -inner.shape[-1]], inner], -1)
        parts.append(inner)
    exact = jnp.promote_types(dz.dtype, jnp.float32)
    dbias = jnp.concatenate([part.sum((0, 1), dtype=exact) for part in parts]).astype(dz.dtype)
    return dz, dbias, _kernel_cotangent(cell, arrays, saved, dz, dproducts), dh, dc, dscale


def _supports(z: Any, *others: Any, **parameters: Any) -> bool:
    *floats, mask = others
    return (
        forms.floats(z, *floats) and z.size > 0 and mask.dtype == (bool if mask.size else z.dtype)
    )


loop = forms.differentiable(
    "recurrent_loop",
    _reference,
    _compiled,
    _compiled_gradient,
    _supports,
    inputs=6,
    flops=lambda z, bias, kernel, *others, **how: 2.0 * z.size * kernel.shape[0],
    gradient_flops=lambda z, bias, kernel, *others, **how: 4.0 * z.size * kernel.shape[0],
    on_gpu=forms.OnGpu(cells_on_gpu.value, _gradient_on_gpu, cells_on_gpu.supports),
)
