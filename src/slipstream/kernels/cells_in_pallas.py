"""Recurrent cells as Pallas writes GPU kernels: a block of rows from the first step to the last.

States lie across, ``(units, rows)``: so the weights are the operand that tensor cores read from
shared memory as it is. The next step's inputs are under way while a step computes.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

_LARGEST = 65504.0  # of float16
_TINY = 1e-30  # of a row's largest gradient that can be divided by


def half(array: Any) -> Any:
    """As float16, the largest of which stands for what is larger."""
    return _within_half(array).astype(jnp.float16)


def _within_half(array: Any) -> Any:
    return jnp.clip(array, -_LARGEST, _LARGEST)


# ---- cells: a step, and its gradient -----------------------------------------------------------


_LOG2_E = 1.4426950408889634


def _sigmoid(x: Any) -> Any:
    return _reciprocal(1 + _exp2(-_LOG2_E * x))


def _tanh(x: Any) -> Any:
    return 2 * _reciprocal(1 + _exp2(-2 * _LOG2_E * x)) - 1


def _exp2(x: Any) -> Any:
    return _instruction("ex2.approx.ftz.f32", x, jnp.exp2)


def _reciprocal(x: Any) -> Any:
    return _instruction("rcp.approx.ftz.f32", x, jnp.reciprocal)


def _instruction(name: str, x: Any, plain: Any) -> Any:
    """One of the GPU's own, right to two units of float32's last place. The compiler's code for
    exponentials and divisions is several times as long, for the sake of subnormal numbers."""
    if jax.default_backend() == "cpu":  # emulated
        return plain(x)
    from jax.experimental.pallas import triton

    like = [jax.ShapeDtypeStruct(x.shape, x.dtype)]
    return triton.elementwise_inline_asm(
        f"{name} $0, $1;", args=[x], constraints="=f,f", pack=1, result_shape_dtypes=like
    )[0]


def _step(cell: str, z: list[Any], inner: Any, left: Any, h: Any, c: Any, dot: Any) -> Any:
    """New ``(h, c)``, the gates, and what else the gradient needs; as `cells` has the cells.

    Args:
        z: products of the inputs, ``(columns, rows)`` of each gate, or all of an LSTM's stacked.
    """
    if cell == "lstm":
        z = [part + dot(left, gate) for gate, part in enumerate(z)]
        made = _stacked_gates(z[0]) if len(z) == 1 else _gates(*z)
        i, f, g, o = jnp.split(made[0], 4, 0) if len(z) == 1 else made
        new = f * c + i * g
        return o * _tanh(new), new, made, c
    if cell in ("gru", "gru_reset_first"):
        u, r = (_sigmoid(part + dot(left, gate)) for gate, part in enumerate(z[:2]))
        extra = dot(left, 2) + inner if cell == "gru" else r * left
        n = _tanh(z[2] + (r * extra if cell == "gru" else dot(extra, 2)))
        return u * h + (1 - u) * n, c, (u, r, n), extra
    h = z[0] + dot(left, 0)
    h = _tanh(h) if cell == "tanh" else jnp.maximum(h, 0)
    return h, c, (h,), None


def _gates(i: Any, f: Any, g: Any, o: Any) -> tuple[Any, ...]:
    return _sigmoid(i), _sigmoid(f), _tanh(g), _sigmoid(o)


def _stacked_gates(z: Any) -> tuple[Any]:
    """Those of `z` ``(4 * columns, rows)``: all with one function, that is tanh for the third."""
    columns = z.shape[0] // 4
    line = lax.broadcasted_iota(jnp.int32, (z.shape[0], 1), 0)
    steep = jnp.where((line >= 2 * columns) & (line < 3 * columns), 2.0, 1.0)
    return (steep * _sigmoid(steep * z) + (1 - steep),)


def _step_gradient(
    cell: str, gates: list[Any], extra: Any, before: Any, scale: Any, dh: Any, dc: Any, dots: Any
) -> Any:
    """Cotangents of `z`, of what the reset gate multiplies, of `left`, of `h` beside it, of `c`."""
    if cell == "lstm":
        i, f, g, o = gates
        read = _tanh(f * extra + i * g)
        dc = dc + dh * o * (1 - read * read)
        di, df, dg = dc * g * i * (1 - i), dc * extra * f * (1 - f), dc * i * (1 - g * g)
        do = dh * read * o * (1 - o)
        dz = [di, df, dg, do]
        return dz, None, dots(dz), jnp.zeros_like(dh), dc * f
    if cell in ("gru", "gru_reset_first"):
        u, r, n = gates
        du, dn = dh * (before - n) * u * (1 - u), dh * (1 - u) * (1 - n * n)
        if cell == "gru":
            dr, inner = dn * extra * r * (1 - r), dn * r
            return [du, dr, dn], inner, dots([du, dr, inner]), dh * u, dc
        through = dots([dn], 2)
        dr = through * before * scale * r * (1 - r)
        return [du, dr, dn], None, dots([du, dr]) + through * r, dh * u, dc
    (h,) = gates
    dproducts = dh * (1 - h * h) if cell == "tanh" else jnp.where(h > 0, dh, 0)
    return [dproducts], None, dots([dproducts]), jnp.zeros_like(dh), dc


# ---- kernels -----------------------------------------------------------------------------------


class _Block:
    """What a kernel is given, by name, and the rows of it that are this block's.

    Attributes:
        rows: of a block.
        held: gates whose weights stay in shared memory from the first step to the last.
    """

    def __init__(self, names: list[str], refs: tuple[Any, ...], rows: int, held: int) -> None:
        from jax.experimental import pallas as pl

        self._refs = dict(zip(names, refs, strict=True))
        self._rows = pl.ds(pl.program_id(0) * rows, rows)
        self._held = [self._refs["kernel"][gate] for gate in range(held)]

    def has(self, name: str) -> bool:
        return name in self._refs

    def raw(self, name: str, *place: Any) -> Any:
        """``(columns, rows)`` as they are stored; of a mask ``(rows,)``."""
        if name == "mask":
            return self._refs[name][(self._rows, *place)]
        return self._refs[name][(self._rows, *place, slice(None))].T

    def read(self, name: str, *place: Any) -> Any:
        """The same as float32."""
        return self.raw(name, *place).astype(jnp.float32)

    def write(self, name: str, value: Any, *place: Any) -> None:
        ref = self._refs[name]
        ref[(self._rows, *place, slice(None))] = value.astype(ref.dtype).T

    def keep(self, place: Any) -> Any:
        """``(1, rows)``: whether a row has this step."""
        return self.raw("mask", place)[None] > 0

    def bias(self) -> list[Any]:
        ref = self._refs["bias"]
        return [ref[part].astype(jnp.float32)[:, None] for part in range(ref.shape[0])]

    @property
    def holds_all(self) -> bool:
        """Whether no weights pass through. Else a store in each step must keep the compiler from
        moving them all into shared memory before the loop, where they have no room."""
        return len(self._held) == self._refs["kernel"].shape[0]

    @property
    def _halved(self) -> bool:
        return self._refs["kernel"].dtype == jnp.float16

    def multiplied(self, h: Any) -> Any:
        """The state as `dot` may have it."""
        return _within_half(h) if self._halved else h

    def dot(self, left: Any, gate: int) -> Any:
        """Product of a gate's weights and ``(columns, rows)``."""
        weights = self._held[gate] if gate < len(self._held) else self._refs["kernel"][gate]
        return jnp.dot(weights, left.astype(weights.dtype), preferred_element_type=jnp.float32)

    def dots(self, lefts: list[Any], first: int = 0) -> Any:
        """Sum of the products of some gates, from the first on, with gradients."""
        largest: Any = 1
        if self._halved:
            each = jnp.abs(lefts[0])
            for left in lefts[1:]:
                each = jnp.maximum(each, jnp.abs(left))
            largest = jnp.max(each, 0)[None]
            largest = jnp.where(largest > _TINY, largest, 1)
        scale = _reciprocal(largest) if self._halved else 1
        found = [self.dot(left * scale, first + place) for place, left in enumerate(lefts)]
        return sum(found[1:], found[0]) * largest


def value_kernel(
    *refs: Any,
    names: list[str],
    rows: int,
    held: int,
    cell: str,
    reverse: bool,
    sequences: bool,
    time: int,
) -> None:
    """All steps; `names` are those of `refs`, as `cells_on_gpu.value` has them."""
    at = _Block(names, refs, rows, held)
    scale = at.read("scale") if at.has("scale") else 1
    bias = at.bias()
    gates = len(bias) - (cell == "gru")

    def place_of(step: Any) -> Any:
        return time - 1 - step if reverse else step

    def inputs(step: Any) -> list[Any]:
        return [at.raw("z", place_of(step), gate) for gate in range(gates)]

    def body(step: Any, carry: Any) -> Any:
        h, c, z = carry
        coming = inputs(jnp.minimum(step + 1, time - 1))
        place = place_of(step)
        z = [part.astype(jnp.float32) + of for part, of in zip(z, bias)]
        left = at.multiplied(h * scale)
        new, new_c, made, extra = _step(cell, z, bias[-1], left, h, c, at.dot)
        if at.has("mask"):
            keep = at.keep(place)
            new, new_c = jnp.where(keep, new, h), jnp.where(keep, new_c, c)
        if at.has("gates"):
            at.write("before", h, place)
            for gate, value in enumerate(made):
                at.write("gates", value, place, gate)
            if extra is not None:
                at.write("extra", extra, place)
        if sequences or not at.holds_all:
            at.write("outputs", new, *([step] if sequences else []))
        return new, new_c, coming

    h = at.read("h")
    c = at.read("c") if at.has("c") else h
    h, c, _ = lax.fori_loop(0, time, body, (h, c, inputs(0)))
    if not sequences:
        at.write("outputs", h)
    if at.has("c"):
        at.write("memory", c)


def gradient_kernel(
    *refs: Any,
    names: list[str],
    rows: int,
    held: int,
    cell: str,
    reverse: bool,
    sequences: bool,
    time: int,
) -> None:
    """All steps from the last to the first; see `cells_on_gpu.gradient`."""
    at = _Block(names, refs, rows, held)
    scale = at.read("scale") if at.has("scale") else 1
    gates = {"lstm": 4, "gru": 3, "gru_reset_first": 3}.get(cell, 1)

    def place_of(step: Any) -> Any:
        return time - 1 - step if reverse else step

    def saved(step: Any) -> list[Any]:
        place = place_of(step)
        found = [at.raw("before", place)]
        found += [at.raw("extra", place)] if at.has("extra") else []
        found += [at.raw("d_outputs", step)] if sequences else []
        return found + [at.raw("gates", place, gate) for gate in range(gates)]

    def body(count: Any, carry: Any) -> Any:
        dh, dc, dscale, known = carry
        step = time - 1 - count
        coming = saved(jnp.maximum(step - 1, 0))
        place = place_of(step)
        before, *known = (each.astype(jnp.float32) for each in known)
        extra = known.pop(0) if at.has("extra") else None
        if sequences:
            dh = dh + known.pop(0)
        dz, inner, dleft, new, new_c = _step_gradient(
            cell, known, extra, before, scale, dh, dc, at.dots
        )
        if at.has("mask"):
            keep = at.keep(place)
            dz = [jnp.where(keep, each, 0) for each in dz]
            inner = None if inner is None else jnp.where(keep, inner, 0)
            dleft = jnp.where(keep, dleft, 0)
            new, new_c = jnp.where(keep, new, dh), jnp.where(keep, new_c, dc)
        for gate, value in enumerate(dz):
            at.write("dz", value, place, gate)
        if inner is not None:
            at.write("d_inner", inner, place)
        if at.has("scale"):
            dscale = dscale + dleft * before
            dleft = dleft * scale
        return new + dleft, new_c, dscale, coming

    zeros = jnp.zeros_like(at.read("before", 0))
    dh = zeros if sequences else at.read("d_outputs")
    dc = at.read("d_memory") if at.has("d_memory") else zeros
    dh, dc, dscale, _ = lax.fori_loop(0, time, body, (dh, dc, zeros, saved(time - 1)))
    at.write("dh", dh)
    if at.has("dc"):
        at.write("dc", dc)
    if at.has("dscale"):
        at.write("dscale", dscale)
