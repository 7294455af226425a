"""Initializers that draw nothing: one value, the identity, the Fourier kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from slipstream.core import registry
from slipstream.core.registry import register
from slipstream.initializers.base import Initializer, numpy_dtype


@register("initializer")
class Constant(Initializer):
    """Every element equal to `value`, or an array of values broadcast to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        value = np.asarray(self.value).astype(numpy_dtype(dtype))
        try:
            return np.broadcast_to(value, tuple(shape)).copy()
        except ValueError:
            raise ValueError(
                f"Constant holds a value of shape {value.shape}, which does not broadcast to the "
                f"weight's shape {tuple(shape)}. Pass a number or an array that does."
            ) from None

    def get_config(self) -> dict[str, Any]:
        return {"value": registry.serialize(self.value)}


@register("initializer", "zero")
class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.zeros(tuple(shape), numpy_dtype(dtype))


@register("initializer", "one")
class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        return np.ones(tuple(shape), numpy_dtype(dtype))


@register("initializer", "IdentityInitializer", "identity_initializer")
class Identity(Initializer):
    """`gain` on the diagonal of a ``(rows, columns)`` matrix, zeros elsewhere.

    Raises:
        ValueError: when called for a shape that is not two-dimensional.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) != 2:
            raise ValueError(
                f"Identity fills matrices: the shape needs 2 axes; got shape={tuple(shape)}. "
                "Use Orthogonal for kernels with more axes."
            )
        return (self.gain * np.eye(shape[0], shape[1])).astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


@register("initializer", "STFTInitializer", "stft_initializer")
class STFT(Initializer):
    """Kernel of a convolution that computes a short-time Fourier transform.

    The kernel has shape ``(frame_length, 1, bins)`` for a transform of length ``2 * (bins - 1)``.

    Args:
        side: ``"real"`` for the cosine part, ``"imag"`` for the negative sine part.
        window: name of a window, its ``(frame_length,)`` values, or None for none.
        scaling: ``"density"`` (unit energy), ``"spectrum"`` (unit sum) or None.
        periodic: whether a named window is periodic rather than symmetric.

    Raises:
        ValueError: if an argument is none of these, or the kernel's shape is another.
    """

    def __init__(
        self,
        side: str = "real",
        window: Any = "hann",
        scaling: str | None = "density",
        periodic: bool = False,
    ) -> None:
        if side not in ("real", "imag"):
            raise ValueError(f"side must be 'real' or 'imag'; got {side!r}.")
        if scaling not in ("density", "spectrum", None):
            raise ValueError(f"scaling must be 'density', 'spectrum' or None; got {scaling!r}.")
        if isinstance(window, str):
            _window(window, 1, periodic)  # an unknown name is reported here and now
        self.side = side
        self.window = window
        self.scaling = scaling
        self.periodic = periodic

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> np.ndarray:
        if len(shape) != 3 or shape[1] != 1:
            raise ValueError(
                "STFT fills kernels of shape (frame_length, 1, bins); "
                f"got shape={tuple(shape)}. Use one input channel."
            )
        length, _, bins = shape
        transform_length = max(2 * (bins - 1), 1)
        angle = 2 * np.pi / transform_length * np.outer(np.arange(length), np.arange(bins))
        waves = np.cos(angle) if self.side == "real" else -np.sin(angle)
        if self.window is not None:
            window = _window(self.window, length, self.periodic)
            if self.scaling == "density":
                window = window / np.sqrt(np.sum(window**2))
            elif self.scaling == "spectrum":
                window = window / np.abs(np.sum(window))
            waves = waves * window[:, None]
        return waves[:, None, :].astype(numpy_dtype(dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            "side": self.side,
            "window": registry.serialize(self.window),
            "periodic": self.periodic,
            "scaling": self.scaling,
        }


def _window(window: Any, length: int, periodic: bool) -> np.ndarray:
    if isinstance(window, str):
        from scipy.signal import get_window

        try:
            return get_window(window, length, fftbins=periodic)
        except ValueError as error:
            raise ValueError(
                f"window must be a window's name such as 'hann' or 'hamming', an array or None; "
                f"got {window!r}."
            ) from error
    values = np.asarray(window, dtype=np.float64)
    if values.shape != (length,):
        raise ValueError(
            f"window has shape {values.shape}; the kernel's frame_length {length} needs "
            f"({length},)."
        )
    return values
