"""Our count of a program beside the compiler's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from slipstream.core import cost
from slipstream.core.cost import Cost
from slipstream.kernels import native
from slipstream.speed.words import quantity

APART = 0.1  # a difference that is worth a word


class Check(NamedTuple):
    """Counts of one program.

    Attributes:
        flops, bytes: counted from the model.
        compiler_flops, compiler_bytes: what the compiler says, loops multiplied out.
    """

    flops: float
    bytes: float
    compiler_flops: float
    compiler_bytes: float

    def remarks(self, what: str) -> list[str]:
        """A sentence for each count that is more than a tenth off."""
        pairs = {
            "FLOPs": (self.flops, self.compiler_flops),
            "B of traffic": (self.bytes, self.compiler_bytes),
        }
        return [
            f"{what}: {quantity(counted)}{unit} counted from the model, {quantity(said)}{unit} by "
            f"the compiler ({counted / said - 1:+.0%})."
            for unit, (counted, said) in pairs.items()
            if said > 0 and abs(counted - said) > APART * said
        ]


class Counted(NamedTuple):
    """A program in the reference forms, of which the compiler knows all.

    Attributes:
        whole, once: our counts, all rounds of a loop and one.
        lowered: to be compiled.
    """

    whole: Cost
    once: Cost
    lowered: Any

    def beside(self, compiled: Any) -> Check | None:
        """What the compiler says about the program, or None if it says nothing.

        It counts a loop's body once: its figures are multiplied by what our count gains when loops
        are.
        """
        analysis = compiled.cost_analysis()
        analysis = analysis[0] if isinstance(analysis, list) else analysis
        if not analysis or "flops" not in analysis:
            return None
        flops = analysis["flops"] + analysis.get("transcendentals", 0.0)
        whole, once = self.whole, self.once
        return Check(
            whole.flops,
            whole.bytes,
            flops * whole.flops / max(once.flops, 1.0),
            analysis.get("bytes accessed", 0.0) * whole.bytes / max(once.bytes, 1.0),
        )


def counted(function: Callable[..., Any], *arguments: Any) -> Counted:
    """Count a function's program."""
    with native.fresh_programs("reference"):
        traced = jax.jit(lambda *arrays: function(*arrays)).trace(*arguments)
        whole, once = cost.count(traced.jaxpr), cost.count(traced.jaxpr, loops=False)
        return Counted(whole, once, traced.lower())
