"""The whole loop of a recurrent cell in one GPU kernel, value and gradient, written in Pallas.

XLA's loop starts several kernels a step, each of which waits for the one before: at the sizes of
most recurrent layers the time is that waiting. Here a block of rows stays on one multiprocessor
from the first step to the last, its states in registers and what it can of the weights in shared
memory.

Units are filled up to a power of two, and rows to whole blocks, with zeros: they stay zero.

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

from slipstream.kernels import forms, native
from slipstream.kernels.cells_in_pallas import gradient_kernel, half, value_kernel

# Units, filled up. A gate's weights of more outgrow shared memory; exact products of float32, which
# tensor cores do not do, run out of registers before.
LEAST, MOST, MOST_EXACT = 16, 128, 64
UNITS_OF_A_WARP = 16  # the fewest that tensor cores multiply; more warps wait for each other longer
# Rows of a block: the fewest that tensor cores multiply while there is a multiprocessor for each
# block. Twice as many take one and a half times as long.
FEW, MANY = 8, 16
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


@cache
def _multiprocessors() -> int:
    return getattr(jax.devices()[0], "core_count", None) or 1


# ---- arrays as the kernels take them -----------------------------------------------------------


class _Shapes:
    """Sizes of a call, as they are and filled up."""

    def __init__(self, shape: tuple[int, ...], units: int, dtype: Any) -> None:
        self.batch, self.time, wide = shape
        self.units = units
        self.gates = wide // units
        self.block = FEW if self.batch <= FEW * _multiprocessors() else MANY
        self.rows = -(-self.batch // self.block) * self.block
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
            array = half(array)
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

    def like(self, *inner: int, columns: int | None = None) -> Any:
        """A result: ``(rows, *inner, columns)``, if not as many others."""
        return jax.ShapeDtypeStruct((self.rows, *inner, columns or self.columns), self.dtype)

    def halved(self, cell: str) -> bool:
        """Whether products are of float16. States of a cell with ReLU may have any size."""
        return self.dtype == "float32" and _as_tf32() and cell != "relu"

    def held(self, halved: bool) -> int:
        """Gates whose weights have room in shared memory, beside those of one that pass through."""
        gate = self.columns**2 * (2 if halved else self.dtype.itemsize)
        room = (_shared() - 4 * self.block * self.columns * 4) // gate
        return self.gates if self.gates <= room else max(room - 1, 0)


def _padded(array: Any, *sizes: int) -> Any:
    """Zeros at the end of each axis, up to its size."""
    return jnp.pad(array, [(0, new - old) for old, new in zip(array.shape, sizes)])


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
    warps = shapes.columns // UNITS_OF_A_WARP
    found = pl.pallas_call(
        partial(kernel, names=[*given, *made], rows=shapes.block, time=shapes.time, **how),
        list(made.values()),
        grid=(shapes.rows // shapes.block,),
        compiler_params=triton.CompilerParams(num_warps=warps, num_stages=1),
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
    held = shapes.held(halved)
    # An LSTM's gates are one product and one exchange between threads, where the weights of all
    # have room at once; sums of exact products, which tensor cores do not do, would not.
    on_tensor_cores = halved or z.dtype != "float32"
    stacked = cell == "lstm" and held == shapes.gates and on_tensor_cores
    parts = 1 if stacked else shapes.gates
    lines = shapes.gates * shapes.columns // parts
    bias = _padded(bias.reshape(-1, shapes.units), bias.size // shapes.units, shapes.columns)
    found = _run(
        value_kernel,
        shapes,
        given={
            "z": shapes.steps(z).reshape(shapes.rows, time, parts, lines),
            "bias": bias.reshape(-1, lines),
            "kernel": shapes.kernel(kernel, halved).reshape(parts, lines, shapes.columns),
            "h": shapes.states(h),
            "c": shapes.states(c) if c.size else None,
            "scale": shapes.states(scale) if scale.size else None,
            "mask": shapes.mask(mask) if mask.size else None,
        },
        made={
            "outputs": shapes.like(time) if sequences else shapes.like(),
            "memory": shapes.like() if c.size else None,
            "gates": shapes.like(time, parts, columns=lines) if save else None,
            "extra": shapes.like(time) if save and shapes.gates > 1 else None,
            "before": shapes.like(time) if save else None,
        },
        held=min(held, parts),
        cell=cell,
        reverse=reverse,
        sequences=sequences,
    )
    shown = shapes.of_steps if sequences else shapes.of_states
    results = [shown(found["outputs"]), shapes.of_states(found["memory"]) if c.size else c]
    if save:
        gates = found["gates"].reshape(shapes.rows, time, shapes.gates, shapes.columns)
        results.append(shapes.of_steps(gates))
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
        gradient_kernel,
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
