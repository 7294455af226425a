"""The figures of a run, from targets and outputs alone, in float64."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from slipstream.report.run import Part, Run

Z = 1.959963984540054  # of the normal distribution, for 95 %


def figures(run: Run) -> dict[str, Any]:
    """The figures of a run, ready for JSON.

    For classes: accuracy with its interval, loss, the accuracy of always naming the commonest
    class, and precision, recall and counts of each class. For values: R², mean absolute error with
    its interval, and the error of always naming the training mean. The gaps to validation and test
    rows have their intervals in `gaps`.
    """
    from slipstream.report.gap import gaps  # it stands on the scores below

    found: dict[str, Any] = {
        "task": "regression" if run.classes is None else "classification",
        "rows": {name: len(part) for name, part in run.parts.items()},
        "scores": {name: score(part) for name, part in run.parts.items()},
        "epochs": run.epochs,
        "best_epoch": run.best_epoch + 1,
        "ended": run.ended,
        "gaps": {
            name: [{"value": gap.value, "verdict": gap.verdict, **asdict(gap)} for gap in found]
            for name in ("validation", "test")
            for found in [gaps(run.training, run.parts[name])]
        },
    }
    if run.classes is None:
        found["interval"] = mean_interval(np.abs(run.test.truth - run.test.outputs))
        middle = run.training.truth.mean(dtype=np.float64)
        found["baseline"] = float(np.abs(run.test.truth - middle).mean(dtype=np.float64))
        found["gap"] = found["scores"]["training"]["r2"] - found["scores"]["test"]["r2"]
        return found
    hits = int((run.test.truth == run.test.predicted).sum())
    found["interval"] = wilson(hits, len(run.test))
    commonest = np.bincount(run.training.truth, minlength=len(run.classes)).argmax()
    found["baseline"] = float((run.test.truth == commonest).mean())
    found["gap"] = found["scores"]["training"]["accuracy"] - found["scores"]["test"]["accuracy"]
    table = confusion(run.test.truth, run.test.predicted, len(run.classes))
    found["confusion"] = table.tolist()
    found["classes"] = [
        {"name": name, **row} for name, row in zip(run.classes, per_class(table), strict=True)
    ]
    return found


def score(part: Part) -> dict[str, float]:
    """Accuracy and cross-entropy of probabilities, or R² and mean absolute error of values."""
    if part.outputs.ndim == 2:
        chosen = part.outputs[np.arange(len(part)), part.truth].astype(np.float64)
        return {
            "accuracy": float((part.predicted == part.truth).mean()),
            "loss": float(-np.log(np.clip(chosen, 1e-7, 1)).mean()),
        }
    truth, off = part.truth.astype(np.float64), part.truth.astype(np.float64) - part.outputs
    spread = float(((truth - truth.mean()) ** 2).sum())
    return {
        "r2": 1 - float((off**2).sum()) / spread if spread else math.nan,
        "mae": float(np.abs(off).mean()),
    }


def wilson(hits: int, rows: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson, 1927)."""
    if not rows:
        return 0.0, 1.0
    share, z = hits / rows, Z * Z / rows
    middle = (share + z / 2) / (1 + z)
    half = Z * math.sqrt(share * (1 - share) / rows + z / (4 * rows)) / (1 + z)
    return max(0.0, min(middle - half, share)), min(1.0, max(middle + half, share))


def mean_interval(values: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of a mean of values that are not negative, by the normal distribution."""
    if len(values) < 2:
        return None
    values = values.astype(np.float64)
    middle = float(values.mean())
    half = Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return max(0.0, middle - half), middle + half


def confusion(truth: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts ``(classes, classes)``: rows are the true classes, columns the predicted ones."""
    pairs = truth.astype(np.int64) * classes + predicted
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def per_class(table: np.ndarray) -> list[dict[str, float | None]]:
    """Precision, recall, F1 and number of rows of each class; None where there is nothing."""
    hits, said, rows = np.diag(table), table.sum(0), table.sum(1)
    return [
        {
            "precision": float(h / s) if s else None,
            "recall": float(h / r) if r else None,
            "f1": float(2 * h / (s + r)) if s + r else None,
            "rows": int(r),
        }
        for h, s, r in zip(hits, said, rows)
    ]
