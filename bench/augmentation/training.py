"""What augmentation costs: a small ResNet with and without it, trained in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.layers.timing import in_turn
from bench.models.cases import Case, case_of

CASE = "ResNet-20; steps=8"
PLAIN = "plain"


def fronts(layers: Any) -> dict[str, list[Any]]:
    """The layers before the network, by what they are called."""
    moved = [layers.RandomFlip("horizontal"), layers.RandomTranslation(0.1, 0.1)]
    cropped = [
        layers.RandomFlip("horizontal"),
        layers.ZeroPadding2D(4),
        layers.RandomCrop(32, 32),
    ]
    coloured = layers.RandomColorJitter(
        brightness_factor=0.2, contrast_factor=0.2, saturation_factor=0.2, hue_factor=0.1
    )
    return {
        PLAIN: [],
        "flip, translation, erasing": [*moved, layers.RandomErasing()],
        "flip, padding and crop, erasing": [*cropped, layers.RandomErasing()],
        "flip, translation, colour jitter": [*moved, coloured],
    }


def training(rounds: int) -> dict[str, list[float]]:
    """Seconds of a training step with each front."""
    import slipstream
    from slipstream import layers

    case = case_of(CASE)
    epochs = {name: _epoch(slipstream, case, front) for name, front in fronts(layers).items()}
    return {
        name: [value / case.steps for value in values]
        for name, values in in_turn(epochs, rounds).items()
    }


def _epoch(api: Any, case: Case, front: list[Any]) -> Callable[[], Any]:
    """An epoch of `fit` on pictures from 0 to 255."""
    model = api.Sequential(
        [api.Input(case.inputs[0]), *front, api.layers.Rescaling(1 / 255), case.build(api)]
    )
    model.compile(api.optimizers.Adam(1e-3), "sparse_categorical_crossentropy")
    x, y = case.data()
    x = (x - x.min()) / (x.max() - x.min()) * 255
    return partial(model.fit, x, y, batch_size=case.batch, epochs=1, shuffle=False, verbose=0)
