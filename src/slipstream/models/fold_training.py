"""Training a fresh model on one part of the data and judging it on another."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from slipstream.core import names
from slipstream.data.parts.rows import pick
from slipstream.data.parts.split import Part
from slipstream.models.model import Model


class FoldTrainer:
    """Builds, trains and judges a model a fold; they get equal names, and so share programs.

    Args:
        build: makes a compiled model; is handed the training `Part` if it takes an argument.
        sample_weight: weight of each row of the whole data, or None.
        callbacks: as in `fit`, or a function that gives those of a fold by its number.
        fit: further arguments of `fit`.
        who: asks for it, named in errors.

    Raises:
        ValueError: if `fit` is to validate on something else.
    """

    def __init__(
        self,
        build: Callable[..., Any],
        sample_weight: Any,
        callbacks: Any,
        fit: dict[str, Any],
        who: str,
    ) -> None:
        for name in ("validation_data", "validation_split"):
            if name in fit:
                raise ValueError(f"{who} validates each model on its own fold; leave {name} out.")
        self.build = build
        self.informed = _takes_one(build)
        self.sample_weight, self.callbacks, self.options = sample_weight, callbacks, fit
        self.before = names.counts()

    def train(self, fold: int, seen: Part, held: Part) -> tuple[Any, dict[str, float]]:
        """A trained model, and its loss and metrics on what was held out.

        Raises:
            ValueError: if `build` gives no compiled model.
        """
        with names.counting_from(self.before):
            model = self.build(seen) if self.informed else self.build()
        if not isinstance(model, Model) or not model.compiled:
            raise ValueError(f"build() must give a compiled model; got {model!r}.")
        seen_weight, held_weight = (pick(self.sample_weight, part.rows) for part in (seen, held))
        weighted = () if held_weight is None else (held_weight,)
        callbacks = self.callbacks
        model.fit(
            seen.x,
            seen.y,
            sample_weight=seen_weight,
            validation_data=(held.x, held.y, *weighted),
            callbacks=callbacks(fold) if callable(callbacks) else callbacks,
            **self.options,
        )
        return model, model.evaluate(
            held.x, held.y, sample_weight=held_weight, verbose=0, return_dict=True
        )


def _takes_one(function: Callable[..., Any]) -> bool:
    """Whether a function has to be given an argument."""
    try:
        wanted = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return any(each.kind in places and each.default is each.empty for each in wanted)
