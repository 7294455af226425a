"""The numbers of a row: input, weights and the fixed weights of the outputs' sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from bench.layers.rows import Row

THREADS = 2  # that a system may use
WORDS = np.array([f"word{number}" for number in range(2000)])


class Case(NamedTuple):
    """A row with its numbers, all NumPy.

    Attributes:
        row: the row.
        inputs: each of ``row.shape``.
        extras: arrays that a call takes besides: ``{"mask": (batch, time) bool}``.
        weights: of the layer, in Keras' order.
        cotangent: the fixed weights of the sum whose gradients are taken; the outputs' shape.
    """

    row: Row
    inputs: list[np.ndarray]
    extras: dict[str, np.ndarray]
    weights: list[np.ndarray]
    cotangent: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Length of each sequence by its mask, ``(batch,)``."""
        return self.extras["mask"].sum(1)


class Program(NamedTuple):
    """One system's way to compute one mode of a case.

    Attributes:
        run: what is timed; it returns when the results are there.
        arrays: calls it, and gives the outputs, then for the backward mode the gradient of each
            input (of the first weight where the input is ids), in Keras' layout.
        way: what sets it apart from the system's other ways to compute the same.
    """

    run: Callable[[], Any]
    arrays: Callable[[], list[np.ndarray]]
    way: str = ""


def inputs_of(row: Row) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """A row's inputs and the further arrays of its call."""
    rng = np.random.default_rng(0)
    if row.words:
        words = WORDS[rng.integers(0, len(WORDS), (*row.shape, row.words))]
        return [np.array([" ".join(each) for each in words.reshape(-1, row.words)])], {}
    if row.ids:
        return [rng.integers(0, row.ids, row.shape).astype(np.int32)], {}
    extras = {}
    if row.masked:
        batch, time = row.shape[:2]
        lengths = rng.integers(time // 4, time + 1, (batch, 1))
        extras["mask"] = np.arange(time) < np.maximum(lengths, 1)
    return [rng.normal(size=row.shape).astype(np.float32) for _ in range(row.inputs)], extras


def weights_like(names: list[str], shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Weights that keep outputs near the size of inputs; variances are positive."""
    rng = np.random.default_rng(1)
    values = []
    for name, shape in zip(names, shapes):
        value = rng.normal(size=shape).astype(np.float32)
        if "variance" in name or "gamma" in name or "scale" in name:
            value = 1 + 0.2 * np.tanh(value)
        elif "kernel" in name:
            value = value * np.prod(shape[:-1], dtype=float) ** -0.5
        else:
            value = value * 0.1
        values.append(value.astype(np.float32))
    return values


def cotangent_like(shape: tuple[int, ...]) -> np.ndarray:
    """Fixed weights of the outputs."""
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)
