"""Reductions over the elements that share a segment number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation


def _segment(name: str, reduce: Callable[..., Any], what: str) -> Callable[..., Any]:
    def apply(
        data: Array, segment_ids: Array, num_segments: int | None = None, sorted: bool = False
    ) -> Any:
        if num_segments is None and isinstance(segment_ids, jax.core.Tracer):
            raise ValueError(
                f"{name}: inside a program the number of segments must be known: pass num_segments."
            )
        return reduce(
            jnp.asarray(data),
            jnp.asarray(segment_ids),
            num_segments,
            indices_are_sorted=sorted,
        )

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"""{what} of the elements of each segment.

    Args:
        data: ``(size, …)``.
        segment_ids: ``(size,)`` whole numbers; what lies outside ``[0, num_segments)`` is dropped.
        num_segments: one more than the largest number if not given.
        sorted: promises that `segment_ids` rise, which is faster.

    Returns:
        ``(num_segments, …)``.
    """
    return operation("math")(apply)


segment_sum = _segment("segment_sum", jax.ops.segment_sum, "Sum")
segment_prod = _segment("segment_prod", jax.ops.segment_prod, "Product")
segment_max = _segment("segment_max", jax.ops.segment_max, "Largest")
segment_min = _segment("segment_min", jax.ops.segment_min, "Smallest")
