"""The windows that weigh pieces of sound."""

from __future__ import annotations

from typing import Any

import numpy as np


def window_values(window: Any, length: int, periodic: bool) -> np.ndarray:
    """A window ``(length,)`` from a name of `scipy.signal.get_window`, an array or None (ones).

    Raises:
        ValueError: if the name is unknown or the array has another length.
    """
    if window is None:
        return np.ones(length)
    if isinstance(window, str):
        from scipy.signal import get_window

        return get_window(window, length, fftbins=periodic)
    values = np.asarray(window, np.float64)
    if values.shape != (length,):
        raise ValueError(f"The window must have {length} values; got shape {values.shape}.")
    return values
