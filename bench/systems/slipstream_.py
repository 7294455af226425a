"""Slipstream."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("SLIPSTREAM_CACHE", "off")

from bench.workloads import Workload
from slipstream.layers import Dense, Input
from slipstream.models import Sequential


def build(workload: Workload) -> Any:
    model = Sequential([Input((workload.features,))])
    for units in workload.hidden:
        model.add(Dense(units, activation="relu"))
    binary = workload.outputs == 1
    model.add(Dense(workload.outputs, activation="sigmoid" if binary else "softmax"))
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


def fit(workload: Workload) -> Any:
    model, (x, y) = build(workload), workload.data()
    return lambda: model.fit(
        x, y, epochs=workload.epochs, batch_size=workload.batch, verbose=0
    ).history["loss"][-1]


def predictor(workload: Workload) -> Any:
    model = build(workload)
    return lambda x: model.predict(x, verbose=0)
