"""`split_dataset`: two datasets out of one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from slipstream.core.random import draw_seed
from slipstream.data.arrays import is_leaf, length
from slipstream.data.dataset import Dataset


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Two datasets of the elements of one; the left takes the first.

    Args:
        dataset: an array, a tuple, list or dictionary of arrays with as many rows (each row is an
            element), or anything that can be iterated.
        left_size, right_size: share between 0 and 1, or number of elements; the other follows.
        shuffle: whether to bring the elements into another order before.
        seed: makes that order repeatable.
        preferred_backend: kept for Keras' signature.

    Raises:
        ValueError: if the sizes make no sense, or a part would be empty.
    """
    if (
        hasattr(dataset, "shape")
        or isinstance(dataset, (tuple, dict))
        or (isinstance(dataset, list) and (is_leaf(dataset) or hasattr(dataset[0], "shape")))
    ):
        arrays = jax.tree.map(np.asarray, dataset) if not is_leaf(dataset) else np.asarray(dataset)
        elements: list[Any] = [
            jax.tree.map(lambda leaf, row=row: leaf[row], arrays)
            for row in range(length(arrays, "dataset"))
        ]
    else:
        elements = list(_elements(dataset))
    left, right = _sizes(len(elements), left_size, right_size)
    if shuffle:
        order = np.random.default_rng(draw_seed() if seed is None else seed)
        elements = [elements[i] for i in order.permutation(len(elements))]
    return (
        Dataset.from_iterable(elements[:left]),
        Dataset.from_iterable(elements[left : left + right]),
    )


def _elements(dataset: Any) -> Iterator[Any]:
    """Elements of an iterable, or of what has `__getitem__` and `__len__`."""
    if hasattr(dataset, "__iter__"):
        return iter(dataset)
    return (dataset[i] for i in range(len(dataset)))


def _sizes(total: int, left: Any, right: Any) -> tuple[int, int]:
    if left is None and right is None:
        raise ValueError("split_dataset needs left_size or right_size; got neither.")

    def count(name: str, size: Any) -> int | None:
        if size is None:
            return None
        if isinstance(size, float):
            if not 0 < size < 1:
                raise ValueError(f"{name} as a share must lie between 0 and 1; got {size}.")
            return round(size * total)
        if not isinstance(size, (int, np.integer)) or not 0 < size < total:
            raise ValueError(f"{name} must be from 1 to {total - 1}, or a share; got {size!r}.")
        return int(size)

    first, second = count("left_size", left), count("right_size", right)
    first = total - int(second or 0) if first is None else first
    second = total - first if second is None else second
    if first + second > total or not first or not second:
        raise ValueError(
            f"{total} elements cannot be split into {first} and {second}; both parts need at least "
            "one."
        )
    return first, second
