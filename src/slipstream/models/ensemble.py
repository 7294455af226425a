"""`ensemble`: one model a fold, their mean as a single model, and a score on unseen rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import jax
import numpy as np

from slipstream.data.arrays import to_arrays
from slipstream.data.parts.folds import fold_of_rows
from slipstream.data.parts.rows import count_rows, pick
from slipstream.data.parts.split import Part, strata_of
from slipstream.layers.input import Input
from slipstream.layers.merging import Average
from slipstream.models.fold_training import FoldTrainer
from slipstream.models.model import Model
from slipstream.models.widths import graph_of


@dataclass
class Ensemble:
    """Members trained on all folds but one each, and what they say about their own fold.

    Attributes:
        model: a functional model with the mean of the members' outputs; `load_model` reads what
            `save` wrote as this model.
        members: the trained models, one a fold.
        folds: ``(rows,)`` number of each row's fold.
        out_of_fold: prediction for each row by the member that did not train on it.
        scores: loss and metrics of each member on its own fold.
    """

    model: Any
    members: list[Any]
    folds: np.ndarray
    out_of_fold: Any
    scores: list[dict[str, float]]

    @property
    def score(self) -> dict[str, float]:
        """Mean of the scores over all rows: what one member can do on unseen rows.

        The mean of the members is usually somewhat better. Where a callback chose the best epoch
        by the fold itself, it is a little too good.
        """
        rows = np.bincount(self.folds)
        return {
            name: float(np.average([score[name] for score in self.scores], weights=rows))
            for name in self.scores[0]
        }

    def predict(self, x: Any, batch_size: int | None = None, verbose: Any = 0) -> Any:
        """Mean of the members' outputs."""
        return self.model.predict(x, batch_size=batch_size, verbose=verbose)

    def evaluate(self, x: Any, y: Any, **kwargs: Any) -> Any:
        """Loss and metrics of the mean of the members, on rows that none of them has seen."""
        return self.model.evaluate(x, y, **kwargs)

    def save(self, filepath: Any, overwrite: bool = True) -> None:
        """Write the members, as one model, to a ``.keras`` file."""
        self.model.save(filepath, overwrite=overwrite)

    def __str__(self) -> str:
        shown = ", ".join(
            f"{name} {value:.4g} (folds {min(s[name] for s in self.scores):.4g} to "
            f"{max(s[name] for s in self.scores):.4g})"
            for name, value in self.score.items()
        )
        return f"Ensemble of {len(self.members)} members. On rows they did not train on: {shown}."


def ensemble(
    build: Callable[..., Any],
    x: Any,
    y: Any,
    folds: Any = 5,
    *,
    seed: int = 0,
    callbacks: Any = None,
    sample_weight: Any = None,
    **fit: Any,
) -> Ensemble:
    """Train one model a fold, each on the rows outside of it, and take their mean.

    Every row is judged once by a model that has not seen it, which gives a score on all rows; the
    mean of the members varies less than any of them. Rows go to folds at random, of each class
    alike.

    Args:
        build: makes a compiled model; called once a fold, with its training `Part` if it takes an
            argument.
        x, y: as in `fit`, in arrays, frames or structures of them.
        folds: how many, or the number of each row's fold ``(rows,)`` from 0: for groups that
            belong together, say.
        seed: of the folds; training draws from the seed of `set_random_seed`, as ever.
        callbacks: as in `fit`, or a function that gives those of a fold by its number. Each member
            is validated on its own fold.
        sample_weight: weight of each row.
        **fit: further arguments of `fit`: `epochs`, `batch_size`, `verbose` and so on.

    Raises:
        ValueError: if there are fewer than two folds or one is empty, `fit` is to validate on
            something else, or `build` gives no compiled model.
    """
    trainer = FoldTrainer(build, sample_weight, callbacks, fit, "ensemble")
    places = _places(folds, y, count_rows(x), seed)
    members, scores, parts = [], [], []
    for fold in range(int(places.max()) + 1):
        inside, outside = np.flatnonzero(places == fold), np.flatnonzero(places != fold)
        held = Part.of(x, y, inside)
        member, score = trainer.train(fold, Part.of(x, y, outside), held)
        members.append(member)
        scores.append(score)
        parts.append(member.predict(held.x, verbose=0))
    back = np.argsort(np.argsort(places, kind="stable"), kind="stable")
    together = jax.tree.map(lambda *each: np.concatenate(each)[back], *parts)
    return Ensemble(mean_of(members, x), members, places, together, scores)


def mean_of(members: list[Any], x: Any) -> Any:
    """A functional model with the mean of the outputs of trained models, compiled as they are.

    Args:
        members: built models for equal inputs; they are renamed ``member_0``, ``member_1`` …
        x: data, or an example of them, for models that do not know their inputs.
    """
    first = members[0]
    for number, member in enumerate(members):
        member.name = f"member_{number}"
    if graph_of(first) is not None:
        known = first.input
        start = jax.tree.map(lambda s: Input(batch_shape=s.shape, dtype=s.dtype), known)
    else:
        start = jax.tree.map(lambda part: Input(part.shape[1:], dtype=str(part.dtype)),
                             to_arrays(pick(x, np.arange(1)), "x"))  # fmt: skip
    outputs = [member(start) for member in members]
    named = first.output_names or []
    leaves = [
        Average(name=name)(list(each))
        for name, each in zip(
            named or map("mean_{}".format, count()), zip(*map(jax.tree.leaves, outputs))
        )
    ]
    structure: Any = jax.tree.structure(outputs[0])
    model = Model(start, jax.tree.unflatten(structure, leaves), name="mean")
    try:
        model.compile_from_config(first.get_compile_config())
    except TypeError:  # an optax transformation, say, which no mean needs
        model.compile(loss=first.loss)
    return model


def _places(folds: Any, y: Any, rows: int, seed: int) -> np.ndarray:
    """The fold of each row."""
    if np.ndim(folds):
        places = np.asarray(folds)
        if places.shape != (rows,) or places.dtype.kind not in "iu":
            raise ValueError(
                f"folds must be a number, or one whole number for each of the {rows:,} rows; got "
                f"{places.dtype} of shape {places.shape}."
            )
    else:
        places = fold_of_rows(strata_of(y, None, rows), folds, seed, name="folds")
    counts = np.bincount(places)
    if len(counts) < 2 or not counts.all():
        raise ValueError(
            f"folds must be numbered from 0 without a gap, two of them at least; got {counts} rows "
            "in each."
        )
    return places
