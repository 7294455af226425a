"""Augmentation layers beside Keras' on JAX: ``python -m bench.augmentation [LAYER …]``.

Milliseconds for 64 pictures of 64×64×3, medians of measurements taken in turn within one process:
compiled as part of a training program, and called on an array as a data pipeline does.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from statistics import median
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("SLIPSTREAM_CACHE", "off")

import jax
import numpy as np

from bench.layers.job import limit_cores
from bench.layers.timing import in_turn
from slipstream import layers
from slipstream.core.random import key_from
from slipstream.core.scope import Scope

SHAPE = (64, 64, 64, 3)
ROWS: dict[str, dict[str, Any]] = {
    "RandomFlip": {},
    "RandomRotation": {"factor": 0.1},
    "RandomZoom": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomCrop": {"height": 56, "width": 56},
    "RandomContrast": {"factor": 0.3},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": 0.2},
    "RandomBrightness": {"factor": 0.2},
    "RandomShear": {"x_factor": 0.2, "y_factor": 0.2},
    "RandomHue": {"factor": 0.3},
    "RandomSaturation": {"factor": 0.6},
    "RandomColorDegeneration": {"factor": 0.5},
    "RandomGrayscale": {},
    "RandomColorJitter": {"brightness_factor": 0.2, "contrast_factor": 0.2, "hue_factor": 0.2},
    "RandomPosterization": {"factor": 4},
    "Solarization": {"addition_factor": 0.2, "threshold_factor": 0.6},
    "RandomInvert": {},
    "RandomSharpness": {"factor": 0.6},
    "RandomGaussianBlur": {},
    "RandomElasticTransform": {"scale": 0.5},
    "RandomPerspective": {"scale": 0.5},
    "RandomErasing": {},
    "AutoContrast": {},
    "Equalization": {},
    "ContrastLimitedAdaptiveHistogramEqualization": {},
    "MixUp": {},
    "CutMix": {},
    "RandAugment": {},
    "AugMix": {},
}


def programs(layer: Any, pictures: Any) -> dict[str, Callable[[], Any]]:
    """What to time of a layer: it within a program, and it by itself."""
    if isinstance(layer, layers.Layer):

        @jax.jit
        def compiled(seed: Any, pictures: Any) -> Any:
            with Scope(key=key_from(seed)).active():
                return layer(pictures, training=True)

        state: Any = jax.device_put(np.uint32(0))
    else:

        @jax.jit
        def compiled(state: Any, pictures: Any) -> Any:
            return layer.stateless_call([], state, pictures, training=True)[0]

        state = [variable.value for variable in layer.non_trainable_variables]
    return {
        "in a program": lambda: compiled(state, pictures).block_until_ready(),
        "by itself": lambda: layer(pictures, training=True).block_until_ready(),
    }


def measured(name: str, rounds: int) -> list[str]:
    """A line of the table for each way to call a layer."""
    import keras

    pictures = jax.device_put(np.random.default_rng(0).uniform(0, 255, SHAPE).astype("float32"))
    ours, theirs = (
        programs(getattr(module, name)(**ROWS[name]), pictures) for module in (layers, keras.layers)
    )
    lines = []
    for way, mine in ours.items():
        systems = {"ours": mine}
        try:
            theirs[way]()
            systems["theirs"] = theirs[way]
        except Exception:  # some of Keras' layers cannot be compiled
            pass
        seconds = {key: median(value) for key, value in in_turn(systems, rounds).items()}
        cells = [name, way, f"{seconds['ours'] * 1e3:.3g}", "–", "cannot be compiled"]
        if "theirs" in seconds:
            ratio = seconds["theirs"] / seconds["ours"]
            cells[3:] = [f"{seconds['theirs'] * 1e3:.3g}", f"{ratio:.2f}×"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("layers", nargs="*", help="names; all unless given")
    options = parser.parse_args()
    limit_cores()
    print("| layer | called | Slipstream, ms | Keras-jax, ms | Keras / Slipstream |")
    print("|---|---|---|---|---|")
    for name in options.layers or ROWS:
        print(*measured(name, options.rounds), sep="\n", flush=True)


if __name__ == "__main__":
    main()
