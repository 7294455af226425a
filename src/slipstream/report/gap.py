"""The generalization gap with its confidence interval.

The gap of a trained model is its risk on rows like those it was trained on, less the mean it
reaches on the training rows themselves. That mean is known exactly: it is what the model was
fitted to, no sample of anything. So all that is uncertain is the risk, for which the held out rows
are a random sample, and the interval of the gap is that of the held out mean, moved by the
training mean. Shares get Wilson's interval. Means of losses, which are skewed, get Hall's (1992,
"On the removal of skewness by transformation"), and R², a ratio of means, Hall's of its linear
terms.

The intervals hold for rows that no choice was made by: where the best epoch was chosen by the
validation rows, the gap to the test rows is the honest one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.report.figures import Z, score, wilson
from slipstream.report.run import Part

FEW = 50  # rows below which an interval of a mean is rough


@dataclass(frozen=True)
class Gap:
    """How much worse a model does on held out rows than on its training rows.

    Attributes:
        name: of the measure: ``"accuracy"`` and ``"loss"`` (cross-entropy) of classes, ``"r2"`` and
            ``"mae"`` of values.
        training, held: the measure on both.
        low, high: 95 % interval of the gap; None for fewer than two held out rows.
        rows: held out rows.
    """

    name: str
    training: float
    held: float
    low: float | None
    high: float | None
    rows: int

    @property
    def value(self) -> float:
        """The gap; above 0 if the model is better on its training rows."""
        return _sign(self.name) * (self.held - self.training)

    @property
    def verdict(self) -> str:
        """What can be said about it."""
        if self.low is None or self.high is None:
            return "too few rows to tell"
        if self.low > 0:
            return "overfitted"
        return "better on held out rows" if self.high < 0 else "no gap to be told from chance"

    def __str__(self) -> str:
        between = "" if self.low is None else f" (95 % interval {self.low:.4g} to {self.high:.4g})"
        rough = "; rough, with so few rows" if self.rows < FEW else ""
        return (
            f"{self.name}: {self.training:.4g} on training rows, {self.held:.4g} on {self.rows:,} "
            f"others; gap {self.value:.4g}{between}: {self.verdict}{rough}."
        )


def gaps(training: Part, held: Part) -> list[Gap]:
    """The gap in each measure: accuracy and cross-entropy of classes, R² and error of values."""
    here, there = score(training), score(held)
    found = []
    for name in here:
        between = _interval(name, held, there[name])
        low = high = None
        if between is not None:
            ends = (_sign(name) * (end - here[name]) for end in between)
            low, high = sorted(ends)
        found.append(Gap(name, here[name], there[name], low, high, len(held)))
    return found


def generalization_gap(model: Any, training: Any, held: Any) -> list[Gap]:
    """The gaps of a trained model with one output: print them.

    Args:
        model: it gives probabilities of classes, one for each or that of the second of two, or
            values, one a row.
        training: ``(x, y)`` it was trained on; `y` are class numbers, one-hot rows, or values.
        held: ``(x, y)`` that were held out.

    Raises:
        ValueError: if outputs and targets are of no such kind.
    """
    return gaps(part_of(model, *training), part_of(model, *held))


def part_of(model: Any, x: Any, y: Any) -> Part:
    """Targets and a model's outputs, as a `Part`.

    Raises:
        ValueError: if the model has several outputs, or they are neither probabilities nor values.
    """
    outputs, truth = model.predict(x, verbose=0), np.asarray(y)
    if not isinstance(outputs, np.ndarray) or outputs.ndim > 2 or len(outputs) != len(truth):
        raise ValueError(
            "A generalization gap is found for models with one output (rows,) or (rows, classes); "
            f"got {getattr(outputs, 'shape', type(outputs).__name__)} for {truth.shape} targets."
        )
    width = outputs.shape[1] if outputs.ndim == 2 else 1
    if width == 1:
        outputs, truth = outputs.reshape(-1), truth.reshape(-1)
        binary = np.isin(truth, (0, 1)).all() and outputs.min() >= 0 and outputs.max() <= 1
        if not binary:
            return Part(truth.astype(np.float64), outputs)
        outputs = np.stack([1 - outputs, outputs], 1)
    elif truth.ndim == 2 and truth.shape[1] == width:
        truth = truth.argmax(1)
    if not np.allclose(outputs.sum(1), 1, atol=1e-3) or outputs.min() < 0:
        raise ValueError(
            "The outputs are no probabilities (their rows do not add up to 1). End the model in a "
            "softmax or sigmoid to judge it."
        )
    return Part(truth.reshape(-1).astype(np.int64), outputs)


def skewed_interval(values: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of the mean of a skewed distribution by a sample of it (Hall, 1992).

    Args:
        values: ``(rows,)``; None is given back for fewer than two.
    """
    count = len(values)
    if count < 2:
        return None
    values = values.astype(np.float64)
    middle = float(values.mean())
    off = values - middle
    spread = float(np.sqrt((off * off).sum() / (count - 1)))
    if spread <= 1e-12 * max(abs(middle), 1e-300):
        return middle, middle
    skew = float((off**3).mean() / (off * off).mean() ** 1.5)
    root = float(np.sqrt(count))

    def back(x: float) -> float:
        """The quantile of the studentized mean that the transformed one's `x` stands for."""
        if abs(skew) < 1e-6:
            return x
        inner = 1 + skew * (x / root - skew / (6 * count))
        return 3 * root / skew * (float(np.cbrt(inner)) - 1)

    return middle - spread * back(Z) / root, middle - spread * back(-Z) / root


def _sign(name: str) -> int:
    """-1 for measures of which more is better."""
    return -1 if name in ("accuracy", "r2") else 1


def _interval(name: str, part: Part, value: float) -> tuple[float, float] | None:
    """95 % interval of a measure on rows like these."""
    if len(part) < 2:
        return None
    if name == "accuracy":
        return wilson(int((part.truth == part.predicted).sum()), len(part))
    if name == "loss":
        chosen = part.outputs[np.arange(len(part)), part.truth].astype(np.float64)
        return skewed_interval(-np.log(np.clip(chosen, 1e-7, 1)))
    off = part.truth.astype(np.float64) - part.outputs
    if name == "mae":
        return skewed_interval(np.abs(off))
    away = part.truth - part.truth.mean(dtype=np.float64)
    spread = float((away * away).mean())
    if not spread:
        return None
    # R² is 1 less a ratio of means; to first order it moves as the mean of these does.
    return skewed_interval(value + (1 - value) * (away * away) / spread - off * off / spread)
