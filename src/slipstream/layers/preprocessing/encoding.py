"""From category numbers to the ways networks take them."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


def encode(
    indices: Any, depth: int, mode: str, dtype: Any, weights: Any = None, idf: Any = None
) -> Any:
    """Encode category numbers; NumPy arrays stay on the host, others on the device.

    Numbers outside of ``0 … depth - 1`` count for nothing.

    Args:
        indices: ``(…, terms)`` integers.
        depth: number of categories.
        mode: ``"int"`` as they are; ``"one_hot"`` ``(…, terms, depth)``, a last axis of size 1
            giving its place to the categories; ``"multi_hot"`` ``(…, depth)``, 1 where a category
            is among the terms; ``"count"`` how often it is; ``"tf_idf"`` that times `idf`.
        dtype: type of the result, except of ``"int"``.
        weights: what each term counts, shaped as `indices`.
        idf: ``(depth,)`` weight of each category.
    """
    if mode == "int":
        return indices
    xp: Any = np if isinstance(indices, np.ndarray) else jnp
    indices = xp.atleast_1d(indices)
    if mode == "one_hot":
        if indices.ndim > 1 and indices.shape[-1] == 1:
            indices = indices[..., 0]
        return (indices[..., None] == xp.arange(depth)).astype(dtype)
    terms = indices.shape[-1]
    rows = indices.reshape(-1, terms)
    numbers = xp.arange(rows.shape[0])[:, None]
    valid = (rows >= 0) & (rows < depth)
    amounts = xp.ones(rows.shape, dtype) if weights is None else weights.reshape(-1, terms)
    amounts = xp.where(valid, amounts, 0).astype(dtype)
    safe = xp.where(valid, rows, 0)
    counts: Any
    if xp is np:
        counts = np.zeros((len(rows), depth), dtype)
        np.add.at(counts, (numbers, safe), amounts)
    else:
        counts = jnp.zeros((rows.shape[0], depth), dtype).at[numbers, safe].add(amounts)
    if mode == "multi_hot":
        counts = (counts > 0).astype(dtype)
    elif mode == "tf_idf":
        counts = counts * xp.asarray(idf, dtype)
    return counts.reshape(*indices.shape[:-1], depth)


def encoded_shape(shape: tuple, depth: int | None, mode: str) -> tuple:
    """Shape of what `encode` gives for indices of this shape."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    shape = shape or (1,)
    if mode == "one_hot":
        return (*(shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape), depth)
    return (*shape[:-1], depth)
