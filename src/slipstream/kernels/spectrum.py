"""Spectra of a signal's overlapping pieces, and signals put together from them."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.kernels import forms, native
from slipstream.kernels.pieces import added, count, cut

_LEAST = 8  # pieces of a signal; the lanes that fewer leave empty cost more than is gained


def spectra(x: Any, window: Any, stride: int) -> tuple[Any, Any]:
    """The Fourier transforms of a signal's pieces under a window, one piece every `stride`.

    Args:
        x: real signals ``(…, samples)``, at least as long as the window.
        window: ``(size,)``.

    Returns:
        Real and imaginary parts ``(…, pieces, size // 2 + 1)``.
    """
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
    found = _spectra(rows, window, stride=stride)
    real, imag = (each.reshape(*x.shape[:-1], *each.shape[1:]) for each in found)
    return real, imag


def overlapped_spectra(real: Any, imag: Any, window: Any, stride: int) -> Any:
    """The sum of the inverse transforms under a window, which begin `stride` apart.

    Args:
        real, imag: ``(…, pieces, size // 2 + 1)``.
        window: ``(size,)``.

    Returns:
        ``(…, (pieces - 1) * stride + size)``.
    """
    outer = real.shape[:-2]
    given = (each.reshape(math.prod(outer), *each.shape[-2:]) for each in (real, imag))
    found = _overlapped(*given, window, stride=stride)[0]
    return found.reshape(*outer, found.shape[-1])


def _plain(x: Any, window: Any, *, stride: int) -> Any:
    found = jnp.fft.rfft(cut(x, window.shape[0], stride) * window)
    return (found.real, found.imag), ()


def _plain_overlapped(real: Any, imag: Any, window: Any, *, stride: int) -> Any:
    pieces = jnp.fft.irfft(jax.lax.complex(real, imag), window.shape[0])
    return (added(pieces * window, stride),), ()


def _forward(x: Any, window: Any, stride: int) -> list[Any]:
    size = window.shape[0]
    shape = (x.shape[0], count(x.shape[1], size, stride), size // 2 + 1)
    result = jax.ShapeDtypeStruct(shape, x.dtype)
    return native.call("spectra", [result, result], x, window, stride=stride)


def _backward(real: Any, imag: Any, window: Any, stride: int, share: float) -> Any:
    """Sums over whole circles; `share`: of every frequency but the first and the last."""
    samples = (real.shape[1] - 1) * stride + window.shape[0]
    result = jax.ShapeDtypeStruct((real.shape[0], samples), real.dtype)
    return native.call("overlapped_spectra", result, real, imag, window, stride=stride, share=share)


def _compiled(x: Any, window: Any, *, save: bool, stride: int) -> Any:
    return tuple(_forward(x, window, stride))


def _compiled_overlapped(real: Any, imag: Any, window: Any, *, save: bool, stride: int) -> Any:
    return (_backward(real, imag, window / window.shape[0], stride, 1.0),)


def _gradient(
    arrays: Any, saved: Any, cotangents: Any, *, stride: int, places: tuple[int, ...]
) -> list[Any]:
    x, window = arrays
    found = []
    if 0 in places:
        # Each frequency once, where a real signal's transform has it and its mirror image.
        dx = _backward(cotangents[0], cotangents[1], window, stride, 0.5)
        found.append(jnp.pad(dx, [(0, 0), (0, x.shape[1] - dx.shape[1])]))
    if 1 in places:
        back = jax.vjp(lambda window: _plain(x, window, stride=stride)[0], window)[1]
        found += back(tuple(cotangents))
    return found


def _overlapped_gradient(
    arrays: Any, saved: Any, cotangents: Any, *, stride: int, places: tuple[int, ...]
) -> list[Any]:
    real, imag, window = arrays
    size = window.shape[0]
    found = []
    if 0 in places or 1 in places:
        ends = jnp.arange(real.shape[-1]) % (size // 2) == 0
        parts = _forward(cotangents[0], window / size, stride)
        found = [parts[i] * jnp.where(ends, 1, 2) for i in (0, 1) if i in places]
    if 2 in places:
        back = jax.vjp(lambda w: _plain_overlapped(real, imag, w, stride=stride)[0], window)[1]
        found += back(tuple(cotangents))
    return found


def _fits(pieces: int, *arrays: Any) -> bool:
    """Pieces enough to fill vectors, of an even size whose half has the factors of fourier.h."""
    size = arrays[-1].shape[0]
    half = size // 2
    for factor in (2, 3, 5):
        while half and half % factor == 0:
            half //= factor
    some = pieces >= _LEAST and arrays[0].size > 0
    return some and size % 2 == 0 and half == 1 and all(each.dtype == "float32" for each in arrays)


def _supports(x: Any, window: Any, *, stride: int) -> bool:
    return _fits(count(x.shape[1], window.shape[0], stride), x, window)


def _overlapped_supports(real: Any, imag: Any, window: Any, *, stride: int) -> bool:
    return _fits(real.shape[1], real, imag, window)


_spectra = forms.differentiable(
    "spectra", _plain, _compiled, _gradient, _supports, inputs=2, sparing=True
)
_overlapped = forms.differentiable(
    "overlapped_spectra",
    _plain_overlapped,
    _compiled_overlapped,
    _overlapped_gradient,
    _overlapped_supports,
    inputs=3,
    sparing=True,
)
