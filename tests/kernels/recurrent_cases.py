"""Arrays for a recurrent cell, for the tests of its forms."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

GATES = {"lstm": 4, "gru": 3, "gru_reset_first": 3, "tanh": 1, "relu": 1}


def arrays(
    cell: str,
    batch: int,
    time: int,
    units: int,
    scaled: bool = False,
    masked: bool = False,
    dtype: Any = jnp.float32,
) -> tuple[Any, ...]:
    """What `cells.loop` takes; an array of no elements where there is none."""
    numbers = np.random.default_rng(batch + time + units)

    def draw(*shape):
        return jnp.asarray(numbers.normal(size=shape) / 2, dtype)

    wide, none = GATES[cell] * units, jnp.zeros((0,), dtype)
    return (
        draw(batch, time, wide),
        draw(wide + (units if cell == "gru" else 0)),
        draw(units, wide) / np.sqrt(units).astype(dtype),
        draw(batch, units),
        draw(batch, units) if cell == "lstm" else none,
        draw(batch, units) if scaled else none,
        jnp.asarray(numbers.random((batch, time)) > 0.4) if masked else none,
    )
