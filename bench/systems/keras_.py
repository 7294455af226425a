"""Keras 3; the engine is chosen by KERAS_BACKEND, steps_per_execution by BENCH_STEPS."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras

from bench.workloads import Workload


def build(workload: Workload) -> Any:
    layers = keras.layers
    model = keras.Sequential([keras.Input((workload.features,))])
    for units in workload.hidden:
        model.add(layers.Dense(units, activation="relu"))
    binary = workload.outputs == 1
    model.add(layers.Dense(workload.outputs, activation="sigmoid" if binary else "softmax"))
    loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
    model.compile(
        optimizer="adam",
        loss=loss,
        metrics=["accuracy"],
        steps_per_execution=int(os.environ.get("BENCH_STEPS", "1")),
    )
    return model


def fit(workload: Workload) -> Any:
    model, (x, y) = build(workload), workload.data()
    return lambda: model.fit(
        x, y, epochs=workload.epochs, batch_size=workload.batch, verbose=0
    ).history["loss"][-1]


def predictor(workload: Workload) -> Any:
    model = build(workload)
    return lambda x: model.predict(x, verbose=0)
