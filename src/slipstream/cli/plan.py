"""What is going to be trained on what: everything that is known before the first step."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from slipstream import utils
from slipstream.cli import network, sources
from slipstream.cli.options import Options
from slipstream.cli.rows import Encoded, Rows
from slipstream.cli.split import Split, split
from slipstream.data import Quality, check
from slipstream.models import Sequential

SMALL = 10_000  # training rows up to which steps are of 32 rows


@dataclass(frozen=True)
class Plan:
    """Options, data and an untrained model.

    Attributes:
        options: what the user asked for.
        rows: the data as they came.
        parts: numbers of the rows for training, validation and test.
        encoded: the inputs as numbers.
        model: built and compiled.
        batch_size: rows of a step.
        notes: what the user should know about the data.
        quality: what a check of the training rows found.
    """

    options: Options
    rows: Rows
    parts: Split
    encoded: Encoded
    model: Sequential
    batch_size: int
    notes: list[str]
    quality: Quality

    @property
    def score(self) -> str:
        """Name of the metric beside the loss."""
        return "mae" if self.rows.target.classes is None else "accuracy"


def make(options: Options) -> Plan:
    """Read, split and encode the data, and build a model for them.

    Raises:
        Problem: if the options or the data are of no use.
    """
    rows = sources.read(options.data, options.target, options.task, options.drop)
    target = rows.target
    parts = split(
        target.y,
        len(target.classes) if target.classes else None,
        options.validation,
        options.test,
        options.seed,
        rows.held_out,
    )
    encoded = rows.features.encode(parts.train)
    utils.clear_session()
    utils.set_random_seed(options.seed)
    model = network.build(encoded.x, target, parts.train, options.units(), options.dropout)
    network.compile_model(model, target, parts.train, options.optimizer, options.learning_rate)
    return Plan(
        options=options,
        rows=rows,
        parts=parts,
        encoded=encoded,
        model=model,
        batch_size=options.batch_size or (32 if len(parts.train) <= SMALL else 128),
        notes=[*rows.notes, *encoded.notes, *_doubts(rows, encoded, parts)],
        quality=_quality(rows, encoded, parts),
    )


def _quality(rows: Rows, encoded: Encoded, parts: Split) -> Quality:
    """What is wrong with the training rows; scales are no matter, for the network sees to them."""
    x, target = encoded.x, rows.target
    held = x[parts.validation], target.y[parts.validation]
    task = "regression" if target.classes is None else "classification"
    found = check(x[parts.train], target.y[parts.train], held, names=encoded.names, task=task)
    return replace(found, findings=[each for each in found.findings if each.kind != "scale"])


def _doubts(rows: Rows, encoded: Encoded, parts: Split) -> list[str]:
    """Reasons to trust the test less."""
    notes = []
    classes = rows.target.classes
    if classes is not None:
        counts = np.bincount(rows.target.y[parts.test], minlength=len(classes))
        missing = [name for name, count in zip(classes, counts) if not count]
        if missing:
            notes.append(
                f"No test row of {', '.join(missing[:8])}: there are too few to tell how well it "
                "is recognised."
            )
    seen = {hash(row.tobytes()) for row in encoded.x[parts.train]}
    twice = sum(hash(row.tobytes()) in seen for row in encoded.x[parts.test])
    if twice:
        notes.append(
            f"{twice:,} of {len(parts.test):,} test rows have an exact copy among the training "
            "rows, which makes the test easier than new data would be."
        )
    return notes
