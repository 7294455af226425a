"""`pack`: many sequences in few rows of one length."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Any, NamedTuple

import jax
import numpy as np

from slipstream.core.symbol import symbols_in
from slipstream.data.sequences.ragged import Ragged, read_leaves


class Packed(NamedTuple):
    """Sequences side by side in rows.

    Attributes:
        x: ``(rows, length, …)``, or a dictionary of these.
        segments: ``(rows, length)`` int32: 1 for the first sequence of a row, 2 for the next …,
            and 0 for padding.
        positions: ``(rows, length)`` int32: the place of a step in its sequence, from 0.
        places: ``(sequences, 2)`` row and first step of each sequence (of each piece, if some
            were split, in the order of the sequences).
    """

    x: Any
    segments: np.ndarray
    positions: np.ndarray
    places: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """``(rows, length)`` 1 on steps of sequences and 0 on padding: `sample_weight` of steps."""
        return (self.segments > 0).astype(np.float32)

    @property
    def padding(self) -> float:
        """Share of the steps that are padding."""
        return float(1 - (self.segments > 0).mean())

    def next_step(self) -> tuple[Any, Any, np.ndarray]:
        """For models that foretell each next step: ``(inputs, targets, weights)``.

        Each is one step shorter than the rows. Weights are 0 where the next step is padding or
        belongs to another sequence.
        """
        inputs = jax.tree.map(lambda leaf: leaf[:, :-1], self.x)
        targets = jax.tree.map(lambda leaf: leaf[:, 1:], self.x)
        goes_on = (self.segments[:, 1:] == self.segments[:, :-1]) & (self.segments[:, 1:] > 0)
        return inputs, targets, goes_on.astype(np.float32)


def pack(sequences: Any, length: int, *, value: float = 0, longer: str = "error") -> Packed:
    """Sequences put into as few rows as best fit finds: each where the least room stays.

    The longest are placed first. What belongs to one sequence is told by `segments`, so that
    attention (`segment_mask`) and the loss (`Packed.weights`) keep the sequences apart.

    Args:
        sequences: ``(steps, …)`` each, in a list; or a dictionary of lists of equal lengths, such
            as tokens and their labels.
        length: steps of a row.
        value: fills up rows.
        longer: what becomes of longer sequences: ``"error"``, ``"cut"`` off, or ``"split"`` into
            pieces that count as sequences.

    Raises:
        ValueError: if a sequence is empty or too long, or lists do not fit together.
        TypeError: if sequences hold no numbers.
    """
    if isinstance(length, bool) or int(length) != length or length < 1:
        raise ValueError(f"length must be a whole number of at least 1; got {length!r}.")
    if longer not in ("error", "cut", "split"):
        raise ValueError(f"longer must be 'error', 'cut' or 'split'; got {longer!r}.")
    tree = read_leaves(sequences, "sequences")
    leaves = jax.tree.leaves(tree)
    if not leaves or not all(isinstance(leaf, Ragged) for leaf in leaves):
        raise ValueError("sequences must be a list of sequences, or a dictionary of such lists.")
    sizes = leaves[0].sizes
    for leaf in leaves[1:]:
        if len(leaf) != len(sizes) or (leaf.sizes != sizes).any():
            raise ValueError("The lists of sequences differ in lengths; what is packed together "
                             "must have as many steps.")  # fmt: skip
    if sizes.min() < 1:
        raise ValueError(f"Sequence {int(sizes.argmin())} is empty. Leave such ones out.")
    if longer == "error" and sizes.max() > length:
        raise ValueError(
            f"Sequence {int(sizes.argmax())} has {sizes.max():,} steps, more than the length "
            f"{length:,}. Take a greater length, or longer='cut' or 'split'."
        )
    begins = leaves[0].begins
    if longer == "split":
        pieces = -(-sizes // length)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        begins = np.repeat(begins, pieces) + number * length
        sizes = np.minimum(np.repeat(sizes, pieces) - number * length, length)
    sizes = np.minimum(sizes, length)
    places = _best_fit(sizes, int(length))
    return _filled(tree, begins, sizes, places, int(length), value)


def _best_fit(sizes: np.ndarray, length: int) -> np.ndarray:
    """Row and first step of each sequence ``(sequences, 2)``."""
    places = np.empty((len(sizes), 2), np.int64)
    open_rows: list[list[int]] = [[] for _ in range(length + 1)]  # rows by the room they have
    rooms: list[int] = []  # sizes of room of which there is a row, rising
    rows = 0
    for sequence in np.argsort(-sizes, kind="stable").tolist():
        size = int(sizes[sequence])
        at = bisect_left(rooms, size)
        if at < len(rooms):
            room = rooms[at]
            row = open_rows[room].pop()
            if not open_rows[room]:
                del rooms[at]
        else:
            room, row, rows = length, rows, rows + 1
        places[sequence] = row, length - room
        left = room - size
        if left and not open_rows[left]:
            insort(rooms, left)
        if left:
            open_rows[left].append(row)
    return places


def _filled(
    tree: Any, begins: np.ndarray, sizes: np.ndarray, places: np.ndarray, length: int, value: float
) -> Packed:
    step = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    source = np.repeat(begins, sizes) + step
    target = np.repeat(places[:, 0] * length + places[:, 1], sizes) + step
    rows = int(places[:, 0].max()) + 1

    def fill(values: np.ndarray, empty: float, dtype: Any) -> np.ndarray:
        found = np.full((rows * length, *values.shape[1:]), empty, dtype)
        found[target] = values
        return found.reshape(rows, length, *values.shape[1:])

    order = np.lexsort((places[:, 1], places[:, 0]))
    row = places[order, 0]
    first = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
    number = np.empty(len(order), np.int64)
    number[order] = np.arange(len(order)) - np.repeat(first, np.diff([*first, len(order)])) + 1
    return Packed(
        jax.tree.map(lambda leaf: fill(leaf.flat[source], value, leaf.flat.dtype), tree),
        fill(np.repeat(number, sizes), 0, np.int32),
        fill(step, 0, np.int32),
        places,
    )


def segment_mask(segments: Any, causal: bool = False) -> Any:
    """Which steps see which ``(batch, length, length)``: those of their own sequence only.

    For `attention_mask`; on arrays, and on symbolic inputs of a model.

    Args:
        segments: ``(batch, length)`` as in `Packed`; 0 for padding, which sees nothing.
        causal: whether a step sees none after it.
    """
    if symbols_in(segments):
        from slipstream import ops
    else:
        ops = np if isinstance(segments, np.ndarray) else jax.numpy  # type: ignore[assignment]
    one, other = ops.expand_dims(segments, 2), ops.expand_dims(segments, 1)
    found = ops.logical_and(ops.equal(one, other), ops.greater(one, 0))
    if causal:  # counted rather than written down, as the length may not be known yet
        place = ops.cumsum(ops.ones_like(segments), axis=1)
        past = ops.greater_equal(ops.expand_dims(place, 2), ops.expand_dims(place, 1))
        found = ops.logical_and(found, past)
    return found
