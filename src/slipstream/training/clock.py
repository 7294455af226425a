"""Where the time of a run went."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from slipstream.core.cost import Cost
from slipstream.speed.split import Work


class Clock:
    """Seconds by part; a part measured inside another is taken out of the outer one.

    The parts of a run are ``build`` (variables, checks), ``data`` (making and moving batches),
    ``compile`` (tracing and compiling programs), ``train``, ``validate``, ``callbacks``.

    Attributes:
        seconds: time by part.
        work: what programs did, by the part in which they ran.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.started = time.perf_counter()
        self.work: dict[str, Work] = {}
        self._inner = [0.0]
        self._names = [""]

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of this block as `name`."""
        begin = time.perf_counter()
        self._inner.append(0.0)
        self._names.append(name)
        try:
            yield
        finally:
            self._names.pop()
            spent = time.perf_counter() - begin
            own = spent - self._inner.pop()
            self._inner[-1] += spent
            self.seconds[name] = self.seconds.get(name, 0.0) + own

    def ran(self, steps: int, rows: int, cost: Cost) -> None:
        """Note a dispatch of so many steps, over `rows` examples, `cost` being that of a step."""
        name = self._names[-1]
        self.work[name] = self.work.get(name, Work()).plus(steps, rows, cost)

    @property
    def total(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self.started

    def split(self) -> dict[str, float]:
        """Seconds by part, with ``other`` for what no part claimed; they add up to the total."""
        total = self.total
        return {**self.seconds, "other": max(0.0, total - sum(self.seconds.values()))}
