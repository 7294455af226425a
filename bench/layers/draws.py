"""Whether layers that draw did as they should; no two systems draw the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.layers.case import Case

SPREAD = 5.0  # standard errors that a share or a mean may be off
CLOSE: dict[str, Any] = {"rtol": 1e-3, "atol": 1e-5}
ALPHA = -1.7580993408473766  # what a selu tends to, which `AlphaDropout` puts in place


def faults_of_draws(case: Case, arrays: list[np.ndarray]) -> str:
    """What is wrong with outputs and, where there are any, gradients, or an empty text."""
    return _CHECKS[case.row.family](case, *arrays)


def _noise(case: Case, outputs: np.ndarray, gradients: Any = None) -> str:
    noise, size = outputs - case.inputs[0], case.row.arguments["stddev"]
    allowed = SPREAD * size / noise.size**0.5
    if abs(noise.mean()) > allowed or abs(noise.std() - size) > allowed:
        return f"the noise has mean {noise.mean():.4f} and standard deviation {noise.std():.4f}"
    if gradients is not None and not np.allclose(gradients, case.cotangent, **CLOSE):
        return "gradients are not passed on"
    return ""


def _dropout(case: Case, outputs: np.ndarray, gradients: Any = None) -> str:
    return _dropped(case, outputs != 0, 1 / _kept(case), 0.0, 0.0, outputs, gradients)


def _channels(case: Case, outputs: np.ndarray, gradients: Any = None) -> str:
    kept = (outputs != 0).any((1, 2), keepdims=True)
    return _dropped(case, kept, 1 / _kept(case), 0.0, 0.0, outputs, gradients)


def _alpha(case: Case, outputs: np.ndarray, gradients: Any = None) -> str:
    keep = _kept(case)
    scale = (keep * (1 + (1 - keep) * ALPHA**2)) ** -0.5
    offset = -scale * ALPHA * (1 - keep)
    dropped = scale * ALPHA + offset
    kept = np.abs(outputs - scale * case.inputs[0] - offset) < np.abs(outputs - dropped)
    return _dropped(case, kept, scale, offset, dropped, outputs, gradients)


def _dropped(
    case: Case,
    kept: np.ndarray,
    scale: float,
    offset: float,
    dropped: float,
    outputs: np.ndarray,
    gradients: Any,
) -> str:
    """Whether what is kept is ``scale * x + offset``, the rest `dropped`, and as much as wanted."""
    keep = _kept(case)
    if abs(kept.mean() - keep) > SPREAD * (keep * (1 - keep) / kept.size) ** 0.5:
        return f"{kept.mean():.3f} of the elements are kept"
    if not np.allclose(outputs, np.where(kept, scale * case.inputs[0] + offset, dropped), **CLOSE):
        return "what is kept is scaled wrongly"
    if gradients is not None and not np.allclose(gradients, kept * scale * case.cotangent, **CLOSE):
        return "gradients do not follow what was kept"
    return ""


def _kept(case: Case) -> float:
    return 1 - case.row.arguments["rate"]


_CHECKS: dict[str, Callable[..., str]] = {
    "Dropout": _dropout,
    "SpatialDropout2D": _channels,
    "AlphaDropout": _alpha,
    "GaussianNoise": _noise,
}
