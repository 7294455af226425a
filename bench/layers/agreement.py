"""Whether two systems computed the same."""

from __future__ import annotations

import numpy as np

from bench.layers.case import Case

TOLERANCE = 1e-3
WHAT = ("outputs", "gradients of the input")


def difference(case: Case, ours: list[np.ndarray], theirs: list[np.ndarray]) -> str:
    """What differs, or an empty text.

    Arrays agree where each element does within `TOLERANCE` of its size or of the array's root mean
    square, whichever is greater. Of layers that draw, each is held against itself.
    """
    if case.row.random:
        return _faults_of_dropout(case, ours) or _faults_of_dropout(case, theirs)
    for what, a, b in zip(WHAT, ours, theirs):
        if a.shape != b.shape:
            return f"{what} have shapes {a.shape} and {b.shape}"
        scale = np.maximum(np.abs(b), np.sqrt(np.mean(b.astype(float) ** 2)))
        worst = float(np.max(np.abs(a - b) / np.maximum(scale, 1e-30), initial=0.0))
        if not worst <= TOLERANCE:
            return f"{what} differ by {worst:.1e}"
    return ""


def _faults_of_dropout(case: Case, arrays: list[np.ndarray]) -> str:
    keep = 1 - case.row.arguments["rate"]
    kept = arrays[0] != 0
    if abs(kept.mean() - keep) > 0.02:
        return f"{kept.mean():.3f} of the elements are kept"
    if not np.allclose(arrays[0], kept * case.inputs / keep, rtol=TOLERANCE):
        return "what is kept is scaled wrongly"
    if arrays[1:] and not np.allclose(arrays[1], kept * case.cotangent / keep, rtol=TOLERANCE):
        return "gradients do not follow what was kept"
    return ""
