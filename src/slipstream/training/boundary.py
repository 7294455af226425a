"""Memory that programs on the CPU read where it lies, and memory that they leave to the caller.

The runtime copies an array that does not begin on a boundary, in threads of its own, and several
times as slowly as NumPy does.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from typing import Any

import jax
import numpy as np

_BOUNDARY = 64  # bytes
_WORTH = 2**16  # bytes; the runtime copies less than that as fast as we do
_LARGE = 2**18  # bytes that take longer to copy than to hand over


def on_boundary(
    shape: tuple[int, ...], dtype: Any, make: Callable[..., np.ndarray] = np.empty
) -> np.ndarray:
    """An array that programs on the CPU read where it lies; `make` makes its bytes."""
    size = prod(shape) * dtype.itemsize
    raw = make(size + _BOUNDARY, np.uint8)
    start = -raw.ctypes.data % _BOUNDARY
    return raw[start : start + size].view(dtype).reshape(shape)


def put(data: Any) -> Any:
    """A pytree of arrays on the device, each copied once at most.

    The runtime would copy in threads of its own, whose memory no other thread gets again.
    """
    return jax.device_put(jax.tree.map(_placed, data))


def _placed(array: Any) -> Any:
    if not is_copied(array):
        return array
    placed = on_boundary(array.shape, array.dtype)
    placed[...] = array
    return placed


def is_copied(array: Any) -> bool:
    """Whether the runtime would copy it on its way to a CPU, and slower than we do."""
    if not isinstance(array, np.ndarray) or array.nbytes < _WORTH:
        return False
    lies = array.ctypes.data % _BOUNDARY == 0 and array.flags.c_contiguous
    return not lies and jax.default_backend() == "cpu"


def taken(output: jax.Array) -> np.ndarray:
    """A program's output as the caller's own array, to be written to: large ones are not copied.

    Nothing else may hold the output, or go on to.
    """
    view = np.asarray(output)
    small = view.nbytes < _LARGE or view.dtype.isbuiltin != 1
    if small or [device.platform for device in output.devices()] != ["cpu"]:
        return view.copy()
    pointer = output.block_until_ready().unsafe_buffer_pointer()
    memory: Any = (ctypes.c_uint8 * output.nbytes).from_address(pointer)
    memory.owner = output  # it lives as long as an array refers to its memory
    return np.frombuffer(memory, output.dtype).reshape(output.shape)
