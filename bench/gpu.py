"""``python -m bench.gpu``: what a GPU spends its time on, where Slipstream has a choice there.

Parts of a prediction, the forms of recurrent layers, full and light compiles. Medians.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import slipstream
from bench.attention import milliseconds
from bench.models.cases import CASES
from slipstream.config import kernels
from slipstream.core import engine
from slipstream.kernels import cells_on_gpu, recurrent

STEPS = 128  # of an epoch
EPOCHS = 5  # timed, after one that compiles


def main() -> None:
    """Print the tables."""
    os.environ["SLIPSTREAM_CACHE"] = "off"  # nothing is found compiled
    print(f"{jax.devices()[0].device_kind}, jax {jax.__version__}\n")
    for part in (predictions, recurrent_layers, recurrent_kernels, compiles):
        print("\n".join(part()), "\n", flush=True)


def predictions() -> Iterator[str]:
    """Milliseconds of a prediction and of its parts."""
    yield "| rows | to the device | program | program and fetch | program that fetches | predict |"
    yield "|---|---|---|---|---|---|"
    case = CASES["MLP 784-512-512-10"]
    model = case.build(slipstream)
    model.predict(case.data(1)[0], verbose=0)  # which makes the programs
    run = model._session.predict

    def whole(x: Any) -> Any:
        return model.predict(x, len(x), verbose=0)

    for rows in (1, 32, 1024):
        x, _ = case.data(rows)
        there = jax.device_put(x)
        cells = [
            milliseconds(jax.device_put, x),
            milliseconds(run, there),
            milliseconds(lambda x: np.asarray(run(x)), there),
            milliseconds(lambda x: np.asarray(run.to_host(x)), there),
            milliseconds(whole, x),
        ]
        yield f"| {rows} | {' | '.join(f'{cell:.3g}' for cell in cells)} |"


def recurrent_layers() -> Iterator[str]:
    """Milliseconds of a training step, by the form of the layer."""
    yield "| network | XLA's loop | eight steps a round | a kernel |"
    yield "|---|---|---|---|"
    for name in ("LSTM", "GRU", "bidirectional masked LSTM"):
        cells = []
        for rounds, form in ((1, "reference"), (8, "reference"), (8, "native")):
            with kernels(form), set_to(recurrent, "_steps_a_round", lambda n=rounds: n):
                cells.append(f"{trained(name)[1]:.3g}")
        yield f"| {name} | {' | '.join(cells)} |"


def recurrent_kernels(batch: int = 64, steps: int = 100) -> Iterator[str]:
    """Microseconds of the kernels of a sequence by themselves, many calls under way at once."""
    if jax.default_backend() != "gpu":
        return
    yield "| cell, units | value | value that saves | gradient |"
    yield "|---|---|---|---|"
    for cell, gates in (("lstm", 4), ("gru", 3)):
        for units in (128, 64, 32, 16):
            draw = np.random.default_rng(0)
            biases = gates + (cell == "gru")
            shapes = [(batch, steps, gates * units), (biases * units,), (units, gates * units)]
            shapes += [(batch, units), (batch, units) if cell == "lstm" else (0,)]
            arrays = [jnp.asarray(draw.normal(0, 0.1, shape), "float32") for shape in shapes]
            arrays += [jnp.zeros(0)] * 2  # neither dropped states nor a mask
            how = {"cell": cell, "reverse": False, "sequences": False}
            value = jax.jit(partial(cells_on_gpu.value, save=False, **how))
            saving = jax.jit(partial(cells_on_gpu.value, save=True, **how))
            gradient = jax.jit(partial(cells_on_gpu.gradient, **how))
            *outputs, gates_made, extra, before = saving(*arrays)
            given = (arrays, (gates_made, extra, before), outputs)
            spent = [microseconds(value, *arrays), microseconds(saving, *arrays)]
            spent.append(microseconds(gradient, *given))
            yield f"| {cell}, {units} | {' | '.join(f'{each:.3g}' for each in spent)} |"


def microseconds(program: Callable[..., Any], *arguments: Any, calls: int = 20) -> float:
    """Of a call among many, medians of 9."""
    jax.block_until_ready(program(*arguments))
    spent = []
    for _ in range(9):
        began = time.perf_counter()
        jax.block_until_ready([program(*arguments) for _ in range(calls)])
        spent.append(1e6 * (time.perf_counter() - began) / calls)
    return median(spent)


def compiles() -> Iterator[str]:
    """Seconds to compile a training program, and milliseconds of its step."""
    yield "| network | full | light |"
    yield "|---|---|---|"
    for name in ("MLP 784-512-512-10", "CNN", "ResNet-20", "GPT"):
        cells = []
        for limit in (0.0, float("inf")):
            with set_to(engine, "LIGHT_SECONDS_ON_GPU", limit):
                cells.append("{:.3g} s, {:.3g} ms".format(*trained(name)))
        yield f"| {name} | {' | '.join(cells)} |"


def trained(name: str) -> tuple[float, float]:
    """Seconds to compile, and milliseconds a step."""
    case = CASES[name]._replace(steps=STEPS)
    model, (x, y) = case.build(slipstream), case.data()
    model.compile("adam", "sparse_categorical_crossentropy")

    def epoch() -> float:
        began = time.perf_counter()
        model.fit(x, y, batch_size=case.batch, shuffle=False, verbose=0)
        return 1e3 * (time.perf_counter() - began) / STEPS

    epoch()
    compiling = model.last_run["compile"]
    return compiling, median(epoch() for _ in range(EPOCHS))


@contextmanager
def set_to(module: Any, name: str, value: Callable[..., Any] | float) -> Iterator[None]:
    """Let a name of a module have another value inside."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)


if __name__ == "__main__":
    main()
