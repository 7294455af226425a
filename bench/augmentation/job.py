"""A process that times augmentation and prints one JSON line for each result.

``python -m bench.augmentation.job ROUNDS [LAYER …]``. A line has the row's ``name``, ``called``,
and ``seconds``, a list for each system, taken in turn. The first line has, in one list for each
row, the least time that the machine's memory allows; the last one the training.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from bench.augmentation.rows import ROWS, SHAPE

OURS, KERAS, TORCH = "Slipstream", "Keras-jax", "torchvision"
MOVING = "moving"  # no layer at all: nothing is drawn
WAYS = IN_PROGRAM, BY_ITSELF = "in a program", "by itself"
TRAINING = "training"


def main() -> None:
    """Time the layers named, or all and the training."""
    answers, sys.stdout = sys.stdout, sys.stderr
    from bench.augmentation.limit import LIMIT, least_seconds
    from bench.augmentation.training import training
    from bench.layers.job import limit_cores

    def answer(name: str, called: str, seconds: Any) -> None:
        line = {"name": name, "called": called, "seconds": seconds}
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    limit_cores()
    rounds, names = int(sys.argv[1]), sys.argv[2:]
    answer(LIMIT, LIMIT, {name: [least] for name, least in least_seconds().items()})
    for name in names or ROWS:
        for called, seconds in measured(name, rounds):
            answer(name, called, seconds)
    if not names:
        answer(TRAINING, TRAINING, training(rounds))


def measured(name: str, rounds: int) -> Iterator[tuple[str, dict[str, list[float]]]]:
    """For each way to call a layer, seconds of a call on all pictures for each system."""
    import jax
    import keras
    import numpy as np

    from bench.layers.timing import fastest, in_turn
    from slipstream import layers

    pictures = jax.device_put(np.random.default_rng(0).uniform(0, 255, SHAPE).astype("float32"))
    ours, theirs = (
        programs(getattr(module, name)(**ROWS[name].options), pictures)
        for module in (layers, keras.layers)
    )
    peer, least = _torchvision(name), moving(pictures, ROWS[name].mixes)
    for called in WAYS:
        systems = {OURS: ours[called], MOVING: least}
        if _works(name, theirs[called]):
            systems[KERAS] = theirs[called]
        if peer:
            systems[TORCH] = peer[fastest(peer)]
        yield called, in_turn(systems, rounds)


def moving(pictures: Any, mixes: bool) -> Callable[[], Any]:
    """A compiled program of ours that draws nothing: pictures are read, and written once.

    Those of a layer that mixes are blended, by given shares and partners.
    """
    import jax
    import jax.numpy as jnp

    from slipstream.kernels.mixing import blend
    from slipstream.kernels.pointwise import scale

    batch = len(pictures)
    numbers, order = jnp.full(batch, 0.5), jnp.arange(batch)[::-1]
    if mixes:
        program = jax.jit(blend)
        return lambda: program(pictures, numbers, order).block_until_ready()
    program = jax.jit(lambda pictures, numbers: scale(pictures, numbers, numbers, (0, 255)))
    return lambda: program(pictures, numbers).block_until_ready()


def programs(layer: Any, pictures: Any) -> dict[str, Callable[[], Any]]:
    """What to time of a layer: it within a program, and it called on an array."""
    import jax
    import numpy as np

    from slipstream import layers
    from slipstream.core.random import key_from
    from slipstream.core.scope import Scope

    if isinstance(layer, layers.Layer):

        @jax.jit
        def compiled(seed: Any, pictures: Any) -> Any:
            with Scope(key=key_from(seed)).active():
                return layer(pictures, training=True)

        state: Any = jax.device_put(np.uint32(0))
    else:
        layer(pictures, training=True)  # builds it

        @jax.jit
        def compiled(state: Any, pictures: Any) -> Any:
            return layer.stateless_call([], state, pictures, training=True)[0]

        state = [variable.value for variable in layer.non_trainable_variables]
    return {
        IN_PROGRAM: lambda: compiled(state, pictures).block_until_ready(),
        BY_ITSELF: lambda: layer(pictures, training=True).block_until_ready(),
    }


def _works(name: str, program: Callable[[], Any]) -> bool:
    """Whether Keras can do it; some of its layers cannot be compiled."""
    try:
        program()
    except Exception as error:  # tracing raises many kinds of errors
        print(f"Keras' {name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
        return False
    return True


def _torchvision(name: str) -> list[Callable[[], Any]]:
    try:
        from bench.augmentation import torchvision_
    except ImportError:
        return []
    return torchvision_.ways(name)


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("SLIPSTREAM_CACHE", "off")
    main()
