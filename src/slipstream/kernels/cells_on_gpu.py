"""The whole loop of a recurrent cell in one GPU kernel, value and gradient, written in Pallas.

XLA's loop starts several kernels a step, each of which waits for the one before: at the sizes of
most recurrent layers the time is that waiting. Here a block of rows stays on one multiprocessor
from the first step to the last, its states in registers and what it can of the weights in shared
memory; the next step's inputs are under way while a step computes.

Units are filled up to a power of two, and rows to whole blocks, with zeros: they stay zero.
States lie across, ``(units, rows)``: so the weights are the operand that tensor cores read from
shared memory as it is.

Where float32 is multiplied as TF32, which is the default of JAX on such GPUs, weights and states
are multiplied as float16: it has TF32's 10 bits, takes half the room, and what it lacks in range
states of these cells do not need. Gradients do, and are divided by the largest of their row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from slipstream.kernels import forms, native

ROWS = 16  # of a block: the fewest that tensor cores multiply
# Units, filled up. A gate's weights of more outgrow shared memory; exact products of float32, which
# tensor cores do not do, run out of registers before.
LEAST, MOST, MOST_EXACT = 16, 128, 64
WARPS = 8
# Bytes of shared memory that a block may use, by compute capability; older ones lack TF32.
SHARED = {"8.0": 163 << 10, "8.6": 99 << 10, "8.7": 163 << 10, "8.9": 99 << 10, "12.0": 99 << 10}
SHARED |= {"9.0": 227 << 10, "10.0": 227 << 10, "10.3": 227 << 10}


def fits(batch: int, time: int, units: int, wide: int, dtype: Any) -> bool:
    """Whether the kernels can run on the first GPU, and pay.

    Args:
        wide: gates times units.
    """
    most = MOST_EXACT if dtype == "float32" and not _as_tf32() else MOST
    if native.choice() == "reference" or units > most or not _shared():
        return False
    shapes = _Shapes((batch, time, wide), units, dtype)
    return shapes.rows * time * shapes.gates * shapes.columns < 2**31  # places have 32 bits


def supports(z: Any, *others: Any, **_: Any) -> bool:
    """Whether they can on arrays of these shapes and types."""
    floats = (z, *others[:-1])
    batch, time, wide = z.shape
    known = fits(batch, time, floats[3].shape[1], wide, z.dtype)
    return known and forms.floats(*floats) and z.size > 0


def _as_tf32() -> bool:
    """Whether products of float32 may be rounded as TF32, which is JAX's default."""
    asked = getattr(jax.config, "jax_default_matmul_precision")  # noqa: B009 - of mypy
    return asked in (None, "default", "tensorfloat32", "TF32_TF32_F32")


@cache
def _shared() -> int:
    """Bytes; 0 where there is no such GPU, or no Triton in JAX, which means to give it up."""
    if jax.default_backend() != "gpu" or find_spec("jax.experimental.pallas.triton") is None:
        return 0
    return SHARED.get(getattr(jax.devices("gpu")[0], "compute_capability", ""), 0)


# ---- arrays as the kernels take them -----------------------------------------------------------


class _Shapes:
    """Sizes of a call, as they are and filled up."""

    def __init__(self, shape: tuple[int, ...], units: int, dtype: Any) -> None:
        self.batch, self.time, wide = shape
        self.units = units
        self.gates = wide // units
        self.rows = -(-self.batch // ROWS) * ROWS
        self.columns = max(LEAST, 1 << (units - 1).bit_length())
        self.dtype = dtype

    def steps(self, array: Any) -> Any:
        """``(batch, time, gates * units)`` to ``(rows, time, gates, columns)``."""
        split = array.reshape(self.batch, self.time, -1, self.units)
        return _padded(split, self.rows, self.time, split.shape[2], self.columns)

    def states(self, array: Any) -> Any:
        """``(batch, units)`` to ``(rows, columns)``."""
        return _padded(array, self.rows, self.columns)

    def kernel(self, array: Any, halved: bool, across: bool = False) -> Any:
        """``(units, gates * units)`` to ``(gates, columns, columns)``, each transposed or not."""
        if halved:
            array = _half(array)
        split = array.reshape(self.units, self.gates, self.units)
        split = split.transpose((1, 0, 2) if across else (1, 2, 0))
        return _padded(split, self.gates, self.columns, self.columns)

    def mask(self, array: Any) -> Any:
        """``(batch, time)`` bool to ``(rows, time)`` int32."""
        return _padded(array.astype(jnp.int32), self.rows, self.time)

    def of_steps(self, array: Any) -> Any:
        """The inverse of `steps`."""
        shown = array[: self.batch, ..., : self.units]
        return shown.reshape(self.batch, self.time, -1)

    def of_states(self, array: Any) -> Any:
        """The inverse of `states`."""
        return array[: self.batch, : self.units]

    def like(self, *inner: int) -> Any:
        """A result: ``(rows, *inner, columns)``."""
        return jax.ShapeDtypeStruct((self.rows, *inner, self.columns), self.dtype)

    def halved(self, cell: str) -> bool:
        """Whether products are of float16. States of a cell with ReLU may have any size."""
        return self.dtype == "float32" and _as_tf32() and cell != "relu"

    def held(self, halved: bool) -> int:
        """Gates whose weights have room in shared memory, beside those of one that pass through."""
        gate = self.columns**2 * (2 if halved else self.dtype.itemsize)
        room = (_shared() - 4 * ROWS * self.columns * 4) // gate
        return self.gates if self.gates <= room else max(room - 1, 0)


_LARGEST = 65504.0  # of float16
_TINY = 1e-30  # of a row's largest gradient that can be divided by


def _half(array: Any) -> Any:
    return jnp.clip(array, -_LARGEST, _LARGEST).astype(jnp.float16)


def _padded(array: Any, *sizes: int) -> Any:
    """Zeros at the end of each axis, up to its size."""
    return jnp.pad(array, [(0, new - old) for old, new in zip(array.shape, sizes)])


# ---- cells: a step, and its gradient -----------------------------------------------------------


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + jnp.exp(-x))


def _tanh(x: Any) -> Any:
    return 2 * _sigmoid(2 * x) - 1


def _step(cell: str, z: list[Any], inner: Any, left: Any, h: Any, c: Any, dot: Any) -> Any:
    """New ``(h, c)``, the gates, and what else the gradient needs; as `cells` has the cells."""
    if cell == "lstm":
        i, f, g, o = (part + dot(left, gate) for gate, part in enumerate(z))
        i, f, g, o = _sigmoid(i), _sigmoid(f), _tanh(g), _sigmoid(o)
        new = f * c + i * g
        return o * _tanh(new), new, (i, f, g, o), c
    if cell in ("gru", "gru_reset_first"):
        u, r = (_sigmoid(part + dot(left, gate)) for gate, part in enumerate(z[:2]))
        extra = dot(left, 2) + inner if cell == "gru" else r * left
        n = _tanh(z[2] + (r * extra if cell == "gru" else dot(extra, 2)))
        return u * h + (1 - u) * n, c, (u, r, n), extra
    h = z[0] + dot(left, 0)
    h = _tanh(h) if cell == "tanh" else jnp.maximum(h, 0)
    return h, c, (h,), None


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
        held: gates whose weights stay in shared memory from the first step to the last.
    """

    def __init__(self, names: list[str], refs: tuple[Any, ...], held: int) -> None:
        from jax.experimental import pallas as pl

        self._refs = dict(zip(names, refs, strict=True))
        self._rows = pl.ds(pl.program_id(0) * ROWS, ROWS)
        self._held = [self._refs["kernel"][gate] for gate in range(held)]

    def has(self, name: str) -> bool:
        return name in self._refs

    def raw(self, name: str, *place: Any) -> Any:
        """``(columns, ROWS)`` as they are stored; of a mask ``(ROWS,)``."""
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
        """``(1, ROWS)``: whether a row has this step."""
        return self.raw("mask", place)[None] > 0

    def bias(self) -> list[Any]:
        ref = self._refs["bias"]
        return [ref[part].astype(jnp.float32)[:, None] for part in range(ref.shape[0])]

    def dot(self, left: Any, gate: int) -> Any:
        """Product of a gate's weights and ``(columns, ROWS)``."""
        weights = self._held[gate] if gate < len(self._held) else self._refs["kernel"][gate]
        left = _half(left) if weights.dtype == jnp.float16 else left.astype(weights.dtype)
        return jnp.dot(weights, left, preferred_element_type=jnp.float32)

    def dots(self, lefts: list[Any], first: int = 0) -> Any:
        """Sum of the products of some gates, from the first on, with gradients."""
        largest: Any = 1
        if self._refs["kernel"].dtype == jnp.float16:
            each = jnp.abs(lefts[0])
            for left in lefts[1:]:
                each = jnp.maximum(each, jnp.abs(left))
            largest = jnp.max(each, 0)[None]
            largest = jnp.where(largest > _TINY, largest, 1)
        scale = 1 / largest
        found = [self.dot(left * scale, first + place) for place, left in enumerate(lefts)]
        return sum(found[1:], found[0]) * largest


def _value_kernel(
    *refs: Any, names: list[str], held: int, cell: str, reverse: bool, sequences: bool, time: int
) -> None:
    at = _Block(names, refs, held)
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
        new, new_c, made, extra = _step(cell, z, bias[-1], h * scale, h, c, at.dot)
        if at.has("mask"):
            keep = at.keep(place)
            new, new_c = jnp.where(keep, new, h), jnp.where(keep, new_c, c)
        if at.has("gates"):
            at.write("before", h, place)
            for gate, value in enumerate(made):
                at.write("gates", value, place, gate)
            if extra is not None:
                at.write("extra", extra, place)
        # Each step's, for a store keeps the compiler from moving into shared memory, before the
        # loop, weights that have no room there.
        at.write("outputs", new, *([step] if sequences else []))
        return new, new_c, coming

    h = at.read("h")
    c = at.read("c") if at.has("c") else h
    _, c, _ = lax.fori_loop(0, time, body, (h, c, inputs(0)))
    if at.has("c"):
        at.write("memory", c)


def _gradient_kernel(
    *refs: Any, names: list[str], held: int, cell: str, reverse: bool, sequences: bool, time: int
) -> None:
    at = _Block(names, refs, held)
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


def _run(
    kernel: Callable[..., None],
    shapes: _Shapes,
    given: dict[str, Any],
    made: dict[str, Any],
    **how: Any,
) -> dict[str, Any]:
    """The results by name; absent arguments and results are None."""
    from jax.experimental import pallas as pl  # late: few programs have use for it
    from jax.experimental.pallas import triton

    given = {name: array for name, array in given.items() if array is not None}
    made = {name: shape for name, shape in made.items() if shape is not None}
    emulated = jax.default_backend() == "cpu"  # for tests
    found = pl.pallas_call(
        partial(kernel, names=[*given, *made], time=shapes.time, **how),
        list(made.values()),
        grid=(shapes.rows // ROWS,),
        compiler_params=triton.CompilerParams(num_warps=WARPS, num_stages=1),
        interpret=emulated,
        name=f"recurrent_{how['cell']}",
    )(*given.values())
    return dict(zip(made, found, strict=True))


# ---- the forms ---------------------------------------------------------------------------------


def value(*arrays: Any, save: bool, cell: str, reverse: bool, sequences: bool) -> Any:
    """Outputs, the last memory and, if `save`, what the gradient needs, as `cells` has them."""
    z, bias, kernel, h, c, scale, mask = arrays
    shapes = _Shapes(z.shape, h.shape[1], z.dtype)
    time, halved = shapes.time, shapes.halved(cell)
    found = _run(
        _value_kernel,
        shapes,
        given={
            "z": shapes.steps(z),
            "bias": _padded(
                bias.reshape(-1, shapes.units), bias.size // shapes.units, shapes.columns
            ),
            "kernel": shapes.kernel(kernel, halved),
            "h": shapes.states(h),
            "c": shapes.states(c) if c.size else None,
            "scale": shapes.states(scale) if scale.size else None,
            "mask": shapes.mask(mask) if mask.size else None,
        },
        made={
            "outputs": shapes.like(time) if sequences else shapes.like(),
            "memory": shapes.like() if c.size else None,
            "gates": shapes.like(time, shapes.gates) if save else None,
            "extra": shapes.like(time) if save and shapes.gates > 1 else None,
            "before": shapes.like(time) if save else None,
        },
        held=shapes.held(halved),
        cell=cell,
        reverse=reverse,
        sequences=sequences,
    )
    shown = shapes.of_steps if sequences else shapes.of_states
    results = [shown(found["outputs"]), shapes.of_states(found["memory"]) if c.size else c]
    if save:
        results.append(shapes.of_steps(found["gates"]))
        results.append(shapes.of_steps(found["extra"]) if shapes.gates > 1 else z[:0, 0, 0])
        results.append(shapes.of_steps(found["before"]))
    return tuple(results)


def gradient(
    arrays: Any, saved: Any, cotangents: Any, *, cell: str, reverse: bool, sequences: bool
) -> tuple[Any, ...]:
    """Cotangents of `z`, of the part of the products that a GRU's reset gate multiplies (or
    None), and of `h`, `c` and `scale`."""
    z, _, kernel, h, c, scale, mask = arrays
    gates, extra, before = saved
    d_outputs, d_memory = cotangents
    shapes = _Shapes(z.shape, h.shape[1], z.dtype)
    time, halved = shapes.time, shapes.halved(cell)

    def whole(array: Any) -> Any:
        return shapes.steps(array)[:, :, 0]

    found = _run(
        _gradient_kernel,
        shapes,
        given={
            "kernel": shapes.kernel(kernel, halved, across=True),
            "gates": shapes.steps(gates),
            "before": whole(before),
            "extra": whole(extra) if extra.size else None,
            "d_outputs": whole(d_outputs) if sequences else shapes.states(d_outputs),
            "d_memory": shapes.states(d_memory) if c.size else None,
            "scale": shapes.states(scale) if scale.size else None,
            "mask": shapes.mask(mask) if mask.size else None,
        },
        made={
            "dz": shapes.like(time, shapes.gates),
            "d_inner": shapes.like(time) if cell == "gru" else None,
            "dh": shapes.like(),
            "dc": shapes.like() if c.size else None,
            "dscale": shapes.like() if scale.size else None,
        },
        held=shapes.held(halved),
        cell=cell,
        reverse=reverse,
        sequences=sequences,
    )
    return (
        shapes.of_steps(found["dz"]),
        shapes.of_steps(found["d_inner"]) if cell == "gru" else None,
        shapes.of_states(found["dh"]),
        shapes.of_states(found["dc"]) if c.size else c,
        shapes.of_states(found["dscale"]) if scale.size else scale,
    )
