"""Whether two systems computed the same."""

from __future__ import annotations

import numpy as np

from bench.layers.case import Case
from bench.layers.draws import faults_of_draws

TOLERANCE = 1e-3


def difference(case: Case, ours: list[np.ndarray], theirs: list[np.ndarray]) -> str:
    """What differs, or an empty text.

    Arrays agree where each element does within `TOLERANCE` of its size or of the array's root mean
    square, whichever is greater. Of layers that draw, each is held against itself.
    """
    if case.row.random:
        return faults_of_draws(case, ours) or faults_of_draws(case, theirs)
    for place, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        what = "gradients of the input" if place else "outputs"
        if a.shape != b.shape:
            return f"{what} have shapes {a.shape} and {b.shape}"
        scale = np.maximum(np.abs(b), np.sqrt(np.mean(b.astype(float) ** 2)))
        worst = float(np.max(np.abs(a - b) / np.maximum(scale, 1e-30), initial=0.0))
        if not worst <= TOLERANCE:
            return f"{what} differ by {worst:.1e}"
    return ""
