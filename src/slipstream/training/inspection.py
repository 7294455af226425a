"""What `fit(check=True)` does: tell what is wrong with the data before the first step."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from slipstream import layers
from slipstream.data.parts.rows import count_rows, pick
from slipstream.data.quality.check import Finding, Quality, check
from slipstream.data.sources import is_batches
from slipstream.training.checks import kind_of
from slipstream.training.objective import as_loss

# What a loss says of targets that leave a doubt; those of the others leave none.
_TASKS = {
    "sparsecategoricalcrossentropy": "classification",
    "huber": "regression",
    "logcosh": "regression",
    "meanabsoluteerror": "regression",
    "meanabsolutepercentageerror": "regression",
    "meansquarederror": "regression",
    "meansquaredlogarithmicerror": "regression",
    "poisson": "regression",
}
_TOKENS = (layers.Embedding, layers.TokenAndPositionEmbedding)
# With one of these in a model the scales of its inputs are as they should be.
_SCALING = (
    *_TOKENS,
    layers.CategoryEncoding,
    layers.Discretization,
    layers.HashedCrossing,
    layers.Hashing,
    layers.IntegerLookup,
    layers.Normalization,
    layers.Rescaling,
    layers.StringLookup,
    layers.TextVectorization,
)
_SCALING_FIRST = (layers.BatchNormalization, layers.LayerNormalization)


class Inspection:
    """Data as they were given to `fit`, with the names of their columns.

    Args:
        x, y, validation_data: arguments of `fit`.

    Raises:
        ValueError: if the inputs or the validation data come in batches.
    """

    def __init__(self, x: Any, y: Any, validation_data: Any) -> None:
        held = validation_data if isinstance(validation_data, tuple) else (validation_data,)
        for name, data in (("x", x), ("validation_data", held[0])):
            if is_batches(data):
                raise ValueError(
                    f"fit(check=True) looks at all rows at once: {name} must be an array or a "
                    f"frame, or a dictionary or list of them; got {type(data).__name__}, which "
                    "gives batches. Leave check out, and call slipstream.data.check on some "
                    "batches put together with np.concatenate."
                )
        self.x, self.y = x, y
        self.held = None if held[0] is None else (*held, None)[:2]

    def look(self, model: Any, rows: int, weighted: bool) -> Quality:
        """Check the data; each finding is a warning with its remedy.

        Args:
            model: the model that is to be trained.
            rows: how many to train on; those after them are held out for validation.
            weighted: whether there are weights of classes or examples.

        Returns:
            What was found, without what is no matter to this model.
        """
        x, y, held = self.x, self.y, self.held
        if held is None and rows < (total := count_rows(x)):
            kept, rest = np.arange(rows), np.arange(rows, total)
            x, y, held = pick(x, kept), pick(y, kept), (pick(x, rest), pick(y, rest))
        found = check(x, y, held, task=_task(model.loss))
        no_matter = _no_matter(model)
        if weighted:
            no_matter.add("imbalance")
        found = replace(
            found, findings=[each for each in found.findings if not _among(each, no_matter)]
        )
        for each in found.findings:
            there = f"history.quality.of({each.kind!r}).rows"
            told = str(each).replace("finding.rows", there)
            warnings.warn(f"Data check: {told}", stacklevel=4)  # the line that calls `fit`
        return found


def _task(loss: Any) -> str | None:
    """What kind of targets a loss wants, if it is the only one and says so."""
    given = jax.tree.leaves(loss)
    return _TASKS.get(kind_of(as_loss(given[0]))) if len(given) == 1 else None


def _no_matter(model: Any) -> set[str]:
    """Kinds of findings on inputs that a model's layers see to."""
    parts = [
        layer
        for layer in model._flatten_layers()
        if not layer._layers and not isinstance(layer, layers.InputLayer)
    ]
    found = set()
    if any(isinstance(layer, _SCALING) for layer in parts) or isinstance(
        next(iter(parts), None), _SCALING_FIRST
    ):
        found.add("scale")
    if isinstance(next(iter(parts), None), _TOKENS):  # columns are places in a text
        found.add("constant")
    return found


def _among(finding: Finding, kinds: set[str]) -> bool:
    return finding.kind in kinds and finding.columns != ("target",)
