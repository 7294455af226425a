"""Prediction: no number of rows takes much longer than its share of many."""

import time
from statistics import median

import numpy as np
import pytest

from slipstream import layers, models

pytestmark = pytest.mark.long
NETS = {
    "784-512-512-10": (784, 512, 512, 10),
    "256-256-256-256": (256, 256, 256, 256),
    "130-700-90": (130, 700, 90),
}
ROWS = (100, 257, 384, 512, 640, 1000, 1500)  # filled up to powers of two, but for the last
MANY, WORST = 2048, 3.0


@pytest.mark.parametrize("name", NETS)
def test_no_number_of_rows_is_a_cliff(name):
    inputs, *widths, outputs = NETS[name]
    model = models.Sequential([layers.Input((inputs,))])
    for width in widths:
        model.add(layers.Dense(width, activation="relu"))
    model.add(layers.Dense(outputs, activation="softmax"))

    def seconds(rows):
        x = np.random.default_rng(0).normal(size=(rows, inputs)).astype("float32")
        model.predict(x, batch_size=rows, verbose=0)
        found = []
        for _ in range(9):
            began = time.perf_counter()
            model.predict(x, batch_size=rows, verbose=0)
            found.append(time.perf_counter() - began)
        return median(found)

    share = seconds(MANY) / MANY
    found = {rows: round(seconds(rows) / rows / share, 2) for rows in ROWS}
    print(name, found)
    assert max(found.values()) < WORST, found
