"""Writes the pictures of the pages: ``python docs/pictures/make.py``.

They are made of `mnist_5k` and `spoken_digits`; `slipstream datasets` says how to get these.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from curves import draw
from PIL import Image

from slipstream import datasets, layers, utils
from slipstream.models import Sequential

FOLDER = Path(__file__).parent


def write(name: str, kinds: Sequence[Any], example: Any, scale: int = 1) -> None:
    """A row for each layer: one example, then five draws."""
    rows = [layer.show(example, draws=5) for layer in kinds]
    whole = Image.new("RGB", (rows[0].width, sum(row.height + 2 for row in rows) - 2), "white")
    for i, row in enumerate(rows):
        whole.paste(row, (0, i * (row.height + 2)))
    size = (scale * whole.width, scale * whole.height)
    whole.resize(size, Image.Resampling.NEAREST).save(FOLDER / f"{name}.png", optimize=True)


def augmentation() -> None:
    """Write those of ../augmentation.md."""
    digits = datasets.load("mnist_5k")
    seven = digits.x[digits.y == 7][3:4, ..., None].astype("float32")
    write(
        "digits",
        [
            layers.RandomRotation(0.1, fill_mode="constant", seed=1),
            layers.RandomShear(0.3, 0.3, fill_mode="constant", seed=1),
            layers.RandomElasticTransform(0.9, 0.3, seed=1),
            layers.RandomErasing(1.0, (0.3, 0.4), fill_value=90.0, seed=3),
        ],
        seven,
        2,
    )
    sounds = datasets.load("spoken_digits")
    five = sounds.x[5:6, :4800]
    write(
        "sounds",
        [
            layers.RandomTimeShift(0.3, seed=1),
            layers.RandomTimeStretch((0.7, 1.5), seed=1),
            layers.RandomNoise((0, 20), seed=1),
        ],
        five,
    )
    mel = layers.MelSpectrogram(
        sampling_rate=8000, fft_length=256, sequence_length=256, sequence_stride=64, num_mel_bins=32
    )
    write("spectrograms", [layers.SpecAugment(seed=1)], np.asarray(mel(five)))


def overfitting(rows: int = 500, epochs: int = 60) -> None:
    """Write that of ../overfitting.md: losses of few pictures, with and without a remedy."""
    digits = datasets.load("mnist_5k")
    order = np.random.default_rng(0).permutation(len(digits.x))
    x, y = digits.x[order, ..., None] / np.float32(255), digits.y[order]
    held = (x[rows : rows + 2000], y[rows : rows + 2000])

    def losses(*remedy: Any) -> dict[str, Sequence[float]]:
        utils.set_random_seed(1)
        model = Sequential([layers.Input((28, 28, 1)), *remedy, layers.Flatten()])
        for _ in range(2):
            model.add(layers.Dense(256, activation="relu"))
        model.add(layers.Dense(10, activation="softmax"))
        model.compile("adam", "sparse_categorical_crossentropy")
        fitted = model.fit(x[:rows], y[:rows], validation_data=held, epochs=epochs, verbose=0)
        return {"training": fitted.history["loss"], "validation": fitted.history["val_loss"]}

    moved = layers.RandomTranslation(0.1, 0.1, fill_mode="constant")
    turned = layers.RandomRotation(0.05, fill_mode="constant")
    panels = {"Loss, no remedy": losses(), "Loss, augmented": losses(moved, turned)}
    draw(FOLDER / "overfitting.svg", panels, 0, 1)


if __name__ == "__main__":
    augmentation()
    overfitting()
