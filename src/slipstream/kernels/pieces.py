"""A signal's overlapping pieces, and their sum: each is the other's transpose."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native

_SLICES = 32  # as many the compiler joins quickly; more pieces at a sample are gathered


def frames(x: Any, size: int, stride: int) -> Any:
    """Pieces of a signal ``(…, samples)``, one every `stride`: ``(…, pieces, size)``."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    found = _frames(rows, size=size, stride=stride)[0]
    return found.reshape(*x.shape[:-1], *found.shape[1:])


def overlapped(pieces: Any, stride: int) -> Any:
    """The sum of pieces ``(…, pieces, size)`` that begin `stride` apart.

    Returns:
        ``(…, (pieces - 1) * stride + size)``.
    """
    outer = pieces.shape[:-2]
    rows = pieces.reshape(math.prod(outer), *pieces.shape[-2:])
    found = _overlapped(rows, stride=stride)[0]
    return found.reshape(*outer, found.shape[-1])


def count(samples: int, size: int, stride: int) -> int:
    """How many pieces there are; none of a signal that is shorter than one."""
    return max(0, (samples - size) // stride + 1)


def cut(x: Any, size: int, stride: int) -> Any:
    """The plain form of `frames` of ``(rows, samples)``."""
    number = count(x.shape[1], size, stride)
    shifts = -(-size // stride)
    if shifts > _SLICES:
        return x[:, _places(number, size, stride)]
    x = jnp.pad(x, [(0, 0), (0, max(0, (number + shifts - 1) * stride - x.shape[1]))])
    parts = []
    for i in range(shifts):
        blocks = x[:, i * stride : (i + number) * stride].reshape(x.shape[0], number, stride)
        parts.append(blocks[..., : size - i * stride])
    return jnp.concatenate(parts, -1)


def added(pieces: Any, stride: int) -> Any:
    """The plain form of `overlapped` of ``(rows, pieces, size)``."""
    rows, number, size = pieces.shape
    samples, shifts = (number - 1) * stride + size, -(-size // stride)
    if shifts > _SLICES:
        places = _places(number, size, stride)
        return jnp.zeros((rows, samples), pieces.dtype).at[:, places].add(pieces)
    pieces = jnp.pad(pieces, [(0, 0), (0, 0), (0, shifts * stride - size)])
    parts = pieces.reshape(rows, number, shifts, stride)
    moved = [jnp.pad(parts[:, :, i], [(0, 0), (i, shifts - 1 - i), (0, 0)]) for i in range(shifts)]
    total = functools.reduce(jnp.add, moved)
    return total.reshape(rows, (number + shifts - 1) * stride)[:, :samples]


def _places(number: int, size: int, stride: int) -> Any:
    return jnp.arange(number)[:, None] * stride + jnp.arange(size)


def _plain_frames(x: Any, *, size: int, stride: int) -> Any:
    return (cut(x, size, stride),), ()


def _plain_overlapped(pieces: Any, *, stride: int) -> Any:
    return (added(pieces, stride),), ()


def _compiled_frames(x: Any, *, save: bool, size: int, stride: int) -> Any:
    return (_cut(x, size, stride),)


def _compiled_overlapped(pieces: Any, *, save: bool, stride: int) -> Any:
    return (_add(pieces, stride),)


def _frames_gradient(arrays: Any, saved: Any, cotangents: Any, *, size: int, stride: int) -> Any:
    dx = _add(cotangents[0], stride)
    return (jnp.pad(dx, [(0, 0), (0, arrays[0].shape[1] - dx.shape[1])]),)


def _overlapped_gradient(arrays: Any, saved: Any, cotangents: Any, *, stride: int) -> Any:
    return (_cut(cotangents[0], arrays[0].shape[2], stride),)


def _cut(x: Any, size: int, stride: int) -> Any:
    shape = (x.shape[0], count(x.shape[1], size, stride), size)
    result = jax.ShapeDtypeStruct(shape, x.dtype)
    return native.call("pieces", result, x, stride=stride)


def _add(pieces: Any, stride: int) -> Any:
    rows, number, size = pieces.shape
    result = jax.ShapeDtypeStruct((rows, (number - 1) * stride + size), pieces.dtype)
    return native.call("overlapped", result, pieces, stride=stride)


def _supports(array: Any, *, stride: int, size: int = 1) -> bool:
    return array.dtype == "float32" and array.size > 0 and array.shape[1] >= size


_frames = forms.differentiable(
    "frames", _plain_frames, _compiled_frames, _frames_gradient, _supports, inputs=1
)
_overlapped = forms.differentiable(
    "overlapped", _plain_overlapped, _compiled_overlapped, _overlapped_gradient, _supports, inputs=1
)
