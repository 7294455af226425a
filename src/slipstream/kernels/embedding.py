"""Looking rows up in a table."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp


def look_up(table: Any, indices: Any) -> Any:
    """Rows of `table` ``(rows, features)`` at `indices` ``(…)``: ``(…, features)``.

    Negative indices count from the end. An index outside the table gives NaN and no gradient.
    """
    return jnp.take(table, indices, axis=0, mode="fill")
