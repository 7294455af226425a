"""Runs to report on, made without training."""

from __future__ import annotations

import numpy as np

from slipstream.core.cost import Cost
from slipstream.layers import Dense, Flatten, Input
from slipstream.models import Sequential
from slipstream.report import Part, Run
from slipstream.speed.ceilings import ROUGH
from slipstream.speed.check import Check
from slipstream.speed.layers import Measured, Row
from slipstream.speed.limits import Limit
from slipstream.speed.split import Work, diagnose
from slipstream.speed.table import Speed

HISTORY = {
    "loss": [1.0, 0.5, 0.4, 0.45],
    "val_loss": [0.9, 0.6, 0.5],  # the last epoch was interrupted
}


def classification(classes=("cat", "dog", "bird"), seed=0, images=True, **changes) -> Run:
    generator = np.random.default_rng(seed)
    count = len(classes)

    def part(rows: int) -> Part:
        truth = np.arange(rows) % count
        logits = generator.normal(size=(rows, count)) + 1.5 * np.eye(count)[truth]
        shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        return Part(truth, shares.astype(np.float32))

    accuracy = {"accuracy": [0.4, 0.6, 0.7, 0.7], "val_accuracy": [0.5, 0.6, 0.65]}
    values = {
        "name": "pets",
        "title": "pictures of pets",
        "classes": list(classes),
        "training": part(90),
        "validation": part(30),
        "test": part(60),
        "model": Sequential([Input((5, 5)), Flatten(), Dense(4), Dense(count)]),
        "history": {**HISTORY, **accuracy},
        "best_epoch": 2,
        "ended": "it was interrupted",
        "seconds": {"train": 3.0, "compile": 0.75, "validate": 0.25, "other": 1.0},
        "rows_a_second": 12345.0,
        "pictures": generator.integers(0, 256, (60, 5, 5), dtype=np.uint8) if images else None,
        "settings": {"seed": 7},
        "versions": {"jax": "0.0"},
        "command": "slipstream train --data pets",
    }
    return Run(**{**values, **changes})


def measured(**changes) -> Run:
    """A run whose speed is known, its layers too."""
    work = {"train": Work(4, 40, 360, Cost(6e10, 0, traffic=(0, 0, 0, 0, 1e9)))}
    seconds = {"train": 3.0, "compile": 0.75, "validate": 0.25, "other": 1.0}
    part = Measured(Cost(2e6, 0, traffic=(1e5, 0, 0, 0, 0)), Limit(4e-5, 1e-6, 2e-5), 1e-4)
    rows = [Row("<dense>", "Dense", 2, part, part), Row("flatten", "Flatten", 1, part, part)]
    layers = Speed("pets", 32, rows, part, part, ROUGH, {"step": Check(100, 100, 50, 100)})
    return classification(speed=diagnose(seconds, work, ROUGH), layers=layers, **changes)


def regression(**changes) -> Run:
    generator = np.random.default_rng(1)

    def part(rows: int) -> Part:
        truth = generator.normal(100, 20, rows).astype(np.float32)
        return Part(truth, (truth + generator.normal(0, 5, rows)).astype(np.float32))

    run = classification(images=False)
    values = {
        **vars(run),
        "classes": None,
        "training": part(90),
        "validation": part(30),
        "test": part(60),
        "history": {**HISTORY, "mae": [9.0, 6.0, 5.0, 5.0], "val_mae": [8.0, 6.0, 5.5]},
    }
    return Run(**{**values, **changes})
