"""What a report is made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Part:
    """Targets of one part of the data and what the trained model says to them.

    Attributes:
        truth: class numbers ``(rows,)`` int, or values float.
        outputs: probabilities ``(rows, classes)``, or values ``(rows,)``.
    """

    truth: np.ndarray
    outputs: np.ndarray

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def predicted(self) -> np.ndarray:
        """The likeliest class, or the value."""
        return self.outputs.argmax(1) if self.outputs.ndim == 2 else self.outputs


@dataclass
class Run:
    """A finished training.

    Attributes:
        name, title, source, licence: of the data.
        classes: name of each class, or None for a regression.
        training, validation, test: the parts of the data.
        model: the trained model.
        history: figures of each epoch, by name; those of the validation may be shorter.
        best_epoch: the epoch whose weights the model has, counted from 0.
        ended: why training ended.
        seconds: where the time of the training went, by part.
        rows_a_second: training rows a second, compiling apart.
        pictures: test inputs ``(rows, height, width[, channels])`` if they are pictures.
        notes: what the reader should know.
        settings, versions: by name.
        command: what to run for the same result.
        speed: the history's account of the run's speed; empty if there is none.
        layers: the model's layers measured one by one, or None.
        quality: what a check of the data found (`slipstream.data.check`), or None; what
            ``fit(check=True)`` of the model found, if not given.
    """

    name: str
    title: str
    classes: list[str] | None
    training: Part
    validation: Part
    test: Part
    model: Any
    history: dict[str, list[float]]
    best_epoch: int
    ended: str
    seconds: dict[str, float]
    rows_a_second: float
    source: str = ""
    licence: str = ""
    pictures: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    command: str = ""
    speed: dict[str, Any] = field(default_factory=dict)
    layers: Any = None
    quality: Any = None

    def __post_init__(self) -> None:
        if self.quality is None:
            self.quality = getattr(getattr(self.model, "history", None), "quality", None)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts of the data by name."""
        return {"training": self.training, "validation": self.validation, "test": self.test}

    @property
    def epochs(self) -> int:
        """Epochs that were run."""
        return len(self.history.get("loss", []))
