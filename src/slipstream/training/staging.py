"""Rows on their way into a program and out of it, part by part, each copied at most once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

from slipstream.training.boundary import is_copied, on_boundary

_AHEAD = 2  # parts under way: a device computes one while the next is laid ready
_KEPT = 2**23  # bytes that one stage may hold between calls


class Stages:
    """Those of one model, of which each call takes one, whatever thread it comes from."""

    def __init__(self) -> None:
        self._free: list[Stage] = []

    @contextmanager
    def one(self) -> Iterator[Stage]:
        """A stage for a call."""
        try:
            stage = self._free.pop()
        except IndexError:
            stage = Stage()
        yield stage
        if stage.bytes <= _KEPT:  # and if nothing was raised
            self._free.append(stage)


class Stage:
    """Memory for `_AHEAD` parts in turn, and the outputs of the parts before.

    Parts are laid into memory that the runtime takes as it is; those that are filled up to more
    rows are laid there anyway.
    """

    def __init__(self) -> None:
        self._memory: dict[tuple[int, int], np.ndarray] = {}
        self._running: deque[tuple[Any, int | None]] = deque()
        self._done: list[Any] = []
        self._turn = 0

    @property
    def bytes(self) -> int:
        """What it holds."""
        return sum(memory.nbytes for memory in self._memory.values())

    def lay(self, x: Any, filled: int, passing: bool = False) -> Any:
        """`x` with zeros up to `filled` rows, until as many parts as are under way come after it.

        Args:
            x: pytree of arrays ``(rows, …)``.
            filled: rows of what is given back.
            passing: whether the source may write again to what it gave.
        """
        self._turn = (self._turn + 1) % _AHEAD
        while len(self._running) >= _AHEAD:
            self._settle()
        if isinstance(x, np.ndarray):
            return self._lay(0, x, filled, passing)
        leaves, tree = jax.tree.flatten(x)
        laid = [self._lay(i, leaf, filled, passing) for i, leaf in enumerate(leaves)]
        return jax.tree.unflatten(tree, laid)

    def take(self, outputs: Any, rows: int | None = None) -> None:
        """Keep the outputs of a part, a pytree of arrays, or the first rows of them."""
        self._running.append((outputs, rows))

    def result(self, own: Callable[[Any], Any] | None = None) -> Any:
        """The outputs of all parts as NumPy arrays of their own; None if there were no parts.

        Args:
            own: makes them so for a part that is all there is.
        """
        if len(self._running) == 1 and not self._done:  # the one part there is
            outputs, rows = self._running.popleft()
            whole = rows is None or all(len(leaf) == rows for leaf in jax.tree.leaves(outputs))
            if own is not None and whole:
                return own(outputs)
            return jax.tree.map(lambda leaf: np.array(_first(leaf, rows)), outputs)
        while self._running:
            self._settle()
        done, self._done = self._done, []
        return jax.tree.map(lambda *parts: np.concatenate(parts), *done) if done else None

    def _lay(self, place: int, rows: Any, filled: int, passing: bool) -> Any:
        if len(rows) == filled and not (passing or is_copied(rows)):
            return rows
        rows = np.asarray(rows)
        memory = self._memory.get((place, self._turn))
        shape, dtype = (filled, *rows.shape[1:]), rows.dtype
        if (
            memory is None
            or memory.dtype != dtype
            or memory.shape[1:] != shape[1:]
            or len(memory) < filled
        ):
            memory = self._memory[place, self._turn] = on_boundary(shape, dtype)
        memory[: len(rows)] = rows
        memory[len(rows) : filled] = 0
        return memory[:filled]

    def _settle(self) -> None:
        """The oldest outputs, to the host; what they were made from may then be overwritten."""
        outputs, rows = self._running.popleft()
        self._done.append(jax.tree.map(lambda leaf: self._apart(_first(leaf, rows)), outputs))

    def _apart(self, array: np.ndarray) -> np.ndarray:
        """A model that changes nothing gives back the memory itself."""
        shared = any(np.may_share_memory(array, each) for each in self._memory.values())
        return array.copy() if shared else array


def _first(output: Any, rows: int | None) -> np.ndarray:
    array = np.asarray(output)
    return array if rows is None else array[:rows]
