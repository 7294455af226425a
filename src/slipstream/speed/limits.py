"""The least time that a program can take on a machine."""

from __future__ import annotations

from typing import NamedTuple

from slipstream.core.cost import Cost
from slipstream.speed.ceilings import Ceilings


class Limit(NamedTuple):
    """Three times that a program cannot stay under, in seconds.

    Attributes:
        compute: its arithmetic at the machine's peak.
        memory: its traffic at the bandwidth of the memory that holds the data.
        dispatch: starting it, and the operations in it.
    """

    compute: float
    memory: float
    dispatch: float

    @property
    def seconds(self) -> float:
        """The hardware's limit: arithmetic and traffic at the same time."""
        return max(self.compute, self.memory)

    @property
    def bound(self) -> str:
        """Which of the three is the largest."""
        return max(zip(self, self._fields))[1]


def limit(cost: Cost, ceilings: Ceilings, dispatches: float = 1) -> Limit:
    """The limit of a program that is started so many times, `cost` being that of all of them."""
    peak = ceilings.flops["float32"]
    compute = (cost.flops - cost.low) / peak
    compute += cost.low / max(ceilings.flops.get("bfloat16", peak), 1.0)
    memory = sum(amount / rate for amount, rate in zip(cost.traffic, ceilings.bandwidth))
    starting = dispatches * ceilings.dispatch + cost.operations * ceilings.operation
    return Limit(compute, memory, starting)
