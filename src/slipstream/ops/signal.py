"""Fourier transforms. Complex numbers go in and out as a pair (real, imaginary)."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, Arrays, operation
from slipstream.kernels.pieces import frames, overlapped
from slipstream.kernels.spectrum import overlapped_spectra, spectra
from slipstream.ops.define import as_float

math = operation("math")


def _parts(x: Any) -> tuple[Any, Any]:
    if not isinstance(x, (tuple, list)) or len(x) != 2:
        raise ValueError("A complex input is a pair of arrays (real, imaginary).")
    return as_float(x[0]), as_float(x[1])


def _complex(x: Any) -> Any:
    return jax.lax.complex(*_parts(x))


def _pair(x: Any) -> tuple[Any, Any]:
    return jnp.real(x), jnp.imag(x)


@operation("math", "FFT")
def fft(x: Arrays) -> Any:
    """Discrete Fourier transform of a pair along the last axis."""
    return _pair(jnp.fft.fft(_complex(x)))


@operation("math", "FFT2")
def fft2(x: Arrays) -> Any:
    """Discrete Fourier transform of a pair along the last two axes."""
    return _pair(jnp.fft.fft2(_complex(x)))


@operation("math", "IFFT2")
def ifft2(x: Arrays) -> Any:
    """Inverse of `fft2`."""
    return _pair(jnp.fft.ifft2(_complex(x)))


@operation("math", "RFFT")
def rfft(x: Array, fft_length: int | None = None) -> Any:
    """Transform of real numbers along the last axis, ``fft_length // 2 + 1`` frequencies.

    The axis is cut or filled up with zeros to `fft_length`.
    """
    return _pair(jnp.fft.rfft(as_float(x), fft_length))


@operation("math", "IRFFT")
def irfft(x: Arrays, fft_length: int | None = None) -> Any:
    """Inverse of `rfft`; `fft_length` real numbers."""
    return jnp.fft.irfft(_complex(x), fft_length)


@math
def view_as_complex(x: Array) -> Any:
    """``(…, 2)`` real and imaginary parts as complex numbers."""
    x = jnp.asarray(x)
    if x.shape[-1:] != (2,):
        raise ValueError(f"view_as_complex needs a last axis of size 2; got shape {x.shape}.")
    return jax.lax.complex(x[..., 0], x[..., 1])


@math
def view_as_real(x: Array) -> Any:
    """Complex numbers as ``(…, 2)`` real and imaginary parts."""
    return jnp.stack(_pair(jnp.asarray(x)), -1)


@operation("nn")
def polar(abs_: Array, angle: Array) -> Any:
    """Complex numbers from magnitudes and angles in radians."""
    abs_, angle = as_float(abs_), as_float(angle)
    return jax.lax.complex(abs_ * jnp.cos(angle), abs_ * jnp.sin(angle))


@math
def extract_sequences(x: Array, sequence_length: int, sequence_stride: int) -> Any:
    """Overlapping pieces ``(…, pieces, sequence_length)`` of the last axis, `stride` apart."""
    return frames(jnp.asarray(x), sequence_length, sequence_stride)


def _window(window: Any, length: int, fft_length: int, dtype: Any) -> Any:
    """The window in the middle of `fft_length` zeros."""
    if window is None:
        return jnp.ones(fft_length, dtype)
    if isinstance(window, str):
        if window not in ("hann", "hamming"):
            raise ValueError(f"A window is 'hann', 'hamming', an array or None; got {window!r}.")
        offset = 0.5 if window == "hann" else 0.54
        turn = 2 * jnp.pi * jnp.arange(length, dtype=dtype) / length  # periodic, as of SciPy
        values = offset - (1 - offset) * jnp.cos(turn)
    else:
        values = jnp.asarray(window, dtype)
        if values.shape != (length,):
            raise ValueError(
                f"The window needs as many points as a sequence, {length}; got shape "
                f"{values.shape}."
            )
    before = (fft_length - length) // 2
    return jnp.pad(values, (before, fft_length - length - before))


def _check_lengths(name: str, length: int, fft_length: int) -> None:
    if fft_length < length:
        raise ValueError(
            f"{name}: fft_length must be at least sequence_length; got {fft_length} and {length}."
        )


@operation("math", "STFT")
def stft(
    x: Array,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Short-time Fourier transform of real numbers along the last axis.

    Args:
        x: ``(…, time)``.
        sequence_length: points under the window.
        sequence_stride: points from one window to the next.
        fft_length: points of each transform, at least `sequence_length`.
        window: ``"hann"``, ``"hamming"``, an array ``(sequence_length,)``, or None to take all
            `fft_length` points as they are.
        center: reflect the ends, so that window t is about point ``t * sequence_stride``.

    Returns:
        Real and imaginary parts ``(…, windows, fft_length // 2 + 1)``.
    """
    _check_lengths("stft", sequence_length, fft_length)
    x = as_float(x)
    if center:
        half = fft_length // 2
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half)], "reflect")
    return spectra(x, _window(window, sequence_length, fft_length, x.dtype), sequence_stride)


@operation("math", "ISTFT")
def istft(
    x: Arrays,
    sequence_length: int,
    sequence_stride: int,
    fft_length: int,
    length: int | None = None,
    window: Any = "hann",
    center: bool = True,
) -> Any:
    """Inverse of `stft` by overlap and add (Griffin & Lim, 1984).

    Without a window the overlapping pieces are added up and not divided by their number.

    Args:
        x: real and imaginary parts ``(…, windows, fft_length // 2 + 1)``.
        length: points of the result; all that the windows cover if None.

    Returns:
        ``(…, time)``.
    """
    _check_lengths("istft", sequence_length, fft_length)
    real, imag = _parts(x)
    weights = _window(window, sequence_length, fft_length, real.dtype)
    result = overlapped_spectra(real, imag, weights, sequence_stride)
    count, size = real.shape[-2], result.shape[-1]
    if window is not None:
        norm = overlapped(jnp.broadcast_to(weights**2, (count, fft_length)), sequence_stride)
        result = jnp.where(norm > 1e-11, result / jnp.where(norm > 1e-11, norm, 1), result)
    start = fft_length // 2 if center else 0
    end = size - start if length is None else start + length
    result = result[..., start:end]
    missing = (end - start) - result.shape[-1]
    return jnp.pad(result, [(0, 0)] * (result.ndim - 1) + [(0, max(missing, 0))])
