"""Arrays with rows of many lengths, and what stands beside them."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.data.arrays import to_array


class Ragged:
    """Sequences, end to end in one array.

    Args:
        sequences: each ``(steps, …)``.
        what: what they are called in errors.

    Raises:
        ValueError: if they differ in more than their lengths.
        TypeError: if they hold no numbers.
    """

    def __init__(self, sequences: list[np.ndarray], what: str) -> None:
        shapes = {each.shape[1:] for each in sequences}
        if len(shapes) > 1:
            raise ValueError(
                f"The sequences of {what} differ in more than their lengths: their steps have the "
                f"shapes {sorted(shapes)}."
            )
        self.sizes = np.array([len(each) for each in sequences], np.int64)
        self.flat = to_array(np.concatenate(sequences), what)
        self.begins = np.cumsum(self.sizes) - self.sizes

    def __len__(self) -> int:
        return len(self.sizes)

    def batch(self, rows: np.ndarray, steps: int, value: float) -> np.ndarray:
        """Some rows padded to one length: ``(batch, steps, …)``."""
        places = np.arange(steps)
        within = places < self.sizes[rows, None]
        found = np.full((len(rows), steps, *self.flat.shape[1:]), value, self.flat.dtype)
        found[within] = self.flat[(self.begins[rows, None] + places)[within]]
        return found


class Padded:
    """One array ``(rows, steps, …)`` of which some steps count in each row."""

    def __init__(self, array: np.ndarray, lengths: np.ndarray) -> None:
        self.array, self.lengths = array, lengths
        self.steps = array.shape[1]

    def __len__(self) -> int:
        return len(self.array)

    def batch(self, rows: np.ndarray, steps: int, value: float) -> np.ndarray:
        """Some rows cut to one length, with `value` where no step counts."""
        part = self.array[rows, :steps]
        found = np.full((len(rows), steps, *part.shape[2:]), value, part.dtype)
        within = np.arange(part.shape[1]) < self.lengths[rows, None]
        found[:, : part.shape[1]][within] = part[within]
        return found


class Plain:
    """One array without steps."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def batch(self, rows: np.ndarray, steps: int, value: float) -> np.ndarray:
        """Some rows."""
        return np.asarray(self.array[rows])


def read_leaves(
    tree: Any,
    what: str,
    lengths: Any = None,
    steps: set[int] | None = None,
    sizes: np.ndarray | None = None,
) -> Any:
    """A structure of `Ragged`, `Padded` and `Plain` arrays.

    Args:
        tree: a list of sequences, an array, or a dictionary of these.
        what: what it is called in errors.
        lengths: ``(rows,)`` steps that count in padded arrays; None if there are none.
        steps: sizes of the second axis by which a padded array is known; any if not given.
        sizes: ``(rows,)`` lengths by which sequences are told from rows of an array, or None.

    Raises:
        ValueError: if sequences do not fit together, or lengths exceed their array.
        TypeError: if they hold no numbers.
    """
    if isinstance(tree, dict):
        return {
            key: read_leaves(value, f"{what}[{key!r}]", lengths, steps, sizes)
            for key, value in tree.items()
        }
    items = tree if isinstance(tree, (list, tuple)) else np.asarray(tree)
    if isinstance(items, (list, tuple)) or (items.dtype == object and items.ndim == 1):
        arrays = [np.asarray(item) for item in items]
        if arrays and all(array.ndim for array in arrays):
            one_shape = len({array.shape for array in arrays}) == 1
            if sizes is None or not one_shape or [len(a) for a in arrays] == sizes.tolist():
                return Ragged(arrays, what)
        items = np.asarray(arrays)
    array = np.asarray(to_array(items, what))
    if lengths is not None and array.ndim > 1 and (steps is None or array.shape[1] in steps):
        most = np.max(lengths, initial=0)
        if most > array.shape[1]:
            raise ValueError(
                f"lengths go up to {most}, and {what} has {array.shape[1]} steps. They count the "
                "steps of each row that are no padding."
            )
        return Padded(array, np.asarray(lengths))
    return Plain(array)
