"""Our count of a program beside the compiler's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from slipstream.core import cost
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


def check(function: Callable[..., Any], *arguments: Any) -> Check | None:
    """What the compiler says about a program, or None if it says nothing.

    It knows nothing of our own kernels, so both counts are of the reference forms. It counts a
    loop's body once: its figures are multiplied by what our count gains when loops are.
    """
    with native.kernels("reference"):
        traced = jax.jit(lambda *arrays: function(*arrays)).trace(*arguments)
        analysis = traced.lower().compile().cost_analysis()
        whole, once = cost.count(traced.jaxpr), cost.count(traced.jaxpr, loops=False)
    analysis = analysis[0] if isinstance(analysis, list) else analysis
    if not analysis or "flops" not in analysis:
        return None
    flops = analysis["flops"] + analysis.get("transcendentals", 0.0)
    return Check(
        whole.flops,
        whole.bytes,
        flops * whole.flops / max(once.flops, 1.0),
        analysis.get("bytes accessed", 0.0) * whole.bytes / max(once.bytes, 1.0),
    )
