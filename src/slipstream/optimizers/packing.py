"""Many weights as one flat array: few kernels to compile and to launch.

An elementwise rule gives the same numbers on weights laid end to end as on each by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from slipstream.optimizers.transition import OptimizerState


def pack(arrays: Sequence[Any]) -> list[Any]:
    """One flat array ``(elements,)`` in a list, from arrays of one type; none from none.

    Raises:
        ValueError: if the types differ.
    """
    types = sorted({str(array.dtype) for array in arrays})
    if len(types) > 1:
        raise ValueError(
            f"Only arrays of one type can be packed; got {', '.join(types)}. Pack each type apart."
        )
    return [jnp.concatenate([jnp.ravel(array) for array in arrays])] if arrays else []


def unpack(packed: Sequence[Any], shapes: Sequence[tuple[int, ...]]) -> list[Any]:
    """The arrays of the given shapes that `pack` laid end to end."""
    arrays: list[Any] = []
    start = 0
    for shape in shapes if packed else ():
        stop = start + math.prod(shape)
        arrays.append(packed[0][start:stop].reshape(shape))
        start = stop
    return arrays


def pack_state(state: OptimizerState) -> OptimizerState:
    """The state of all weights as the state of one flat weight."""
    slots = {name: pack([own[name] for own in state.slots])[0] for name in state.slots[0]}
    return state._replace(
        slots=[slots], accumulators=pack(state.accumulators), averages=pack(state.averages)
    )


def unpack_state(state: OptimizerState, shapes: Sequence[tuple[int, ...]]) -> OptimizerState:
    """The state for weights of the given shapes, from the one that `pack_state` made."""
    slots: list[dict[str, Any]] = [{} for _ in shapes]
    for name, packed in state.slots[0].items():
        for own, array in zip(slots, unpack([packed], shapes)):
            own[name] = array
    return state._replace(
        slots=slots,
        accumulators=unpack(state.accumulators, shapes),
        averages=unpack(state.averages, shapes),
    )
