"""Random draws while testing and predicting: programs are given a seed only if they draw."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import numpy as np

from slipstream.core.random import draw_pass_seed, key_from, keyless

_TESTS = 0x7E57  # keeps the keys of tests apart from those of training


class Draws:
    """Whether a program draws, found out while it is traced without a key.

    Attributes:
        asked: whether a trace so far wanted a key; programs are given a seed from then on.
    """

    def __init__(self) -> None:
        self.asked = False

    def watch(self, seed: Any) -> AbstractContextManager[None]:
        """Notice draws in the block, unless there is a seed for them."""
        return keyless(self._ask) if seed is None else nullcontext()

    def _ask(self) -> None:
        self.asked = True


def seed_of(run: int | None = None, step: int = 0) -> np.ndarray:
    """Seed of one pass over data, ``(3,)`` uint32: of a run at some step, or a new one."""
    return np.array([draw_pass_seed() if run is None else run, step, 0], np.uint32)


def key_of(seed: Any) -> Any:
    """The key of one batch: of a seed, in which the last entry counts batches; None for None."""
    if seed is None:
        return None
    key = jax.random.fold_in(jax.random.fold_in(key_from(seed[0]), _TESTS), seed[1])
    return jax.random.fold_in(key, seed[2])


def after(seed: Any) -> Any:
    """The seed of the next batch."""
    return None if seed is None else seed + np.array([0, 0, 1], np.uint32)
