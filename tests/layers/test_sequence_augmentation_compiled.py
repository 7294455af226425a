"""SpecAugment compiles in seconds within a training program, with the compiler's full effort.

Masks written as one reduction over all of them, fused with the drawing, take LLVM minutes. The
tests' own flags spare the compiler that effort, so another process compiles, which can be stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SECONDS = 60.0  # on a busy machine; a quiet one takes 2, with the imports
PROGRAM = """
import sys
import numpy as np
from slipstream import layers, models
from slipstream.core import engine

engine.LIGHT_SECONDS = 0.0  # as for a long training
shape = tuple(map(int, sys.argv[1:]))
masked = [layers.Input(shape), layers.SpecAugment(), layers.Flatten()]
model = models.Sequential([*masked, layers.Dense(2)])
model.compile("adam", "mse")
x = np.random.default_rng(0).normal(size=(48, *shape)).astype("float32")
loss = model.fit(x, x.reshape(48, -1)[:, :2], batch_size=16, verbose=0).history["loss"][0]
print(np.isfinite(loss))
"""


@pytest.mark.parametrize("shape", [(32, 64), (80, 300, 1)], ids=str)
def test_a_training_program_with_masks_compiles_in_seconds(shape):
    environment = {**os.environ, "SLIPSTREAM_CACHE": "off"}
    environment.pop("XLA_FLAGS", None)
    command = [sys.executable, "-c", PROGRAM, *map(str, shape)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SECONDS)
    assert done.stdout.split() == ["True"], done.stderr
