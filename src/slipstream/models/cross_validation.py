"""`cross_validate`: how well a way to make models does on rows they have not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.data.arrays import to_arrays
from slipstream.data.parts.folds import folds
from slipstream.data.parts.split import Part
from slipstream.models.feature_space import FeatureSpace
from slipstream.models.fold_training import FoldTrainer


@dataclass
class CrossValidation:
    """Scores of models that were each trained on other rows; printed, a line a metric.

    Attributes:
        scores: loss and metrics of each model on its own fold.
        train_rows, held_rows: ``(models,)`` how many rows each was trained and judged on.
    """

    scores: list[dict[str, float]]
    train_rows: np.ndarray
    held_rows: np.ndarray

    def _table(self) -> dict[str, np.ndarray]:
        return {name: np.array([each[name] for each in self.scores]) for name in self.scores[0]}

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each score over the folds."""
        return {name: float(values.mean()) for name, values in self._table().items()}

    @property
    def spread(self) -> dict[str, float]:
        """Standard deviation of each score over the folds."""
        return {name: float(values.std(ddof=1)) for name, values in self._table().items()}

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Confidence interval of each mean.

        Folds share most of their training rows, so their scores vary together. The variance is
        raised by held out over training rows for it (Nadeau and Bengio 2003, "Inference for the
        generalization error").

        Raises:
            ValueError: if the level does not lie between 0 and 1.
        """
        from scipy.special import stdtrit

        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1; got {level!r}.")
        count = len(self.scores)
        factor = np.sqrt(1 / count + float(np.mean(self.held_rows / self.train_rows)))
        reach = float(stdtrit(count - 1, (1 + level) / 2)) * factor
        mean, spread = self.mean, self.spread
        return {
            name: (mean[name] - reach * spread[name], mean[name] + reach * spread[name])
            for name in mean
        }

    def __str__(self) -> str:
        intervals, spread, mean = self.interval(), self.spread, self.mean
        lines = [f"Cross-validation of {len(self.scores)} models, on rows they did not train on:"]
        for name in sorted(mean, key=lambda name: name != "loss"):
            low, high = intervals[name]
            lines.append(
                f"  {name} {mean[name]:.4g} ± {spread[name]:.2g} over the folds; "
                f"95 % interval of the mean {low:.4g} to {high:.4g}"
            )
        return "\n".join(lines)


def cross_validate(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    k: int = 5,
    *,
    groups: Any = None,
    time: Any = None,
    stratify: Any = None,
    keep_together: bool = False,
    repeats: int = 1,
    seed: int = 0,
    prepare: Any = None,
    callbacks: Any = None,
    sample_weight: Any = None,
    **fit: Any,
) -> CrossValidation:
    """Train a fresh model a fold and judge it on the rows it has not seen.

    What learns from data (scales, vocabularies, filled gaps) must learn from the training rows of
    each fold alone. Do it in `build`, if it is to be part of the model, or in `prepare`.

    Args:
        build: makes a compiled model; called once a fold. If it takes an argument it is handed the
            fold's training `Part`, with `x` and `y`: ``scale.adapt(train.x)``, for instance.
        x, y: as in `fit`, in arrays, frames or structures of them.
        k, groups, time, stratify, keep_together, repeats, seed: as in `data.folds`.
        prepare: a layer or `FeatureSpace` that has not seen data: a copy of it learns from the
            fold's training inputs and is applied to all inputs. Or a function of the training
            inputs, which gives a function to apply.
        callbacks: as in `fit`, or a function that gives those of a fold by its number.
        sample_weight: weight of each row.
        **fit: further arguments of `fit`: `epochs`, `batch_size`, `verbose` and so on.

    Raises:
        ValueError: if folds make no sense, `fit` is to validate on something else, or `build`
            gives no compiled model.
        TypeError: if `prepare` gives nothing that can be applied.
    """
    trainer = FoldTrainer(build, sample_weight, callbacks, fit, "cross_validate")
    scores, sizes = [], []
    parts = folds(
        x, y, k, groups=groups, time=time, stratify=stratify, keep_together=keep_together,
        repeats=repeats, seed=seed,
    )  # fmt: skip
    for number, (seen, held) in enumerate(parts):
        if prepare is not None:
            apply = _learned(prepare, seen.x)
            seen, held = (_with(part, apply(part.x)) for part in (seen, held))
        scores.append(trainer.train(number, seen, held)[1])
        sizes.append((len(seen.rows), len(held.rows)))
    trained, judged = np.array(sizes).T
    return CrossValidation(scores, trained, judged)


def _with(part: Part, x: Any) -> Part:
    """The same part with other inputs."""
    found = Part(x, part.y)
    found.rows = part.rows
    return found


def _learned(prepare: Any, x: Any) -> Callable[[Any], Any]:
    """What to apply to inputs, after it has seen the training inputs `x`."""
    if not hasattr(prepare, "adapt"):
        found = prepare(x)
        if not callable(found):
            raise TypeError(
                "prepare(x) must give a function to apply to inputs, or a layer; got "
                f"{type(found).__name__}."
            )
        return found
    copy = type(prepare).from_config(prepare.get_config())
    if isinstance(copy, FeatureSpace):
        copy.adapt(x)
        return copy

    def read(data: Any) -> Any:
        return to_arrays(data, "x") if hasattr(data, "columns") else data

    copy.adapt(read(x))
    return lambda data: np.asarray(copy(read(data)))
