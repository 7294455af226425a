"""`bucket`: sequences of many lengths as batches of few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from slipstream.data.sequences.planned import Planned
from slipstream.data.sequences.ragged import Padded, Plain, Ragged, read_leaves
from slipstream.data.streams.stream import Options

MOST = 2048  # different lengths looked at when boundaries are chosen


class Buckets(Planned):
    """Batches of sequences padded to few lengths, each batch from one bucket.

    Attributes:
        boundaries: length of each bucket, rising; sequences are padded to the next one.
        shapes: ``(rows, length)`` of each kind of batch there is, two a bucket at most.
        padding: share of the steps that are padding.
    """

    boundaries: tuple[int, ...]
    shapes: tuple[tuple[int, int], ...]
    padding: float


def bucket(
    x: Any,
    y: Any = None,
    *,
    lengths: Any = None,
    buckets: int | Sequence[int] = 4,
    batch_size: int = 32,
    multiple: int = 1,
    value: float = 0,
    shuffle: bool = True,
    seed: int | None = None,
) -> Buckets:
    """Batches of sequences of about one length, so that little is padded and few programs compiled.

    Args:
        x: sequences ``(steps, …)`` in a list, or one padded array ``(rows, steps, …)`` with
            `lengths`; several inputs in a dictionary, in which arrays may stand that have no
            steps. Where inputs differ in length the longest counts.
        y: one target a row, or one a step: a list of sequences as long as those of `x`, or an
            array ``(rows, steps, …)``. Then batches have weights ``(batch, steps)``, which are 0
            on padding.
        lengths: ``(rows,)`` steps of each row that count, for padded arrays.
        buckets: number of lengths, which are chosen such that the padding is least; or the lengths.
        batch_size: rows of a batch; the last one of a bucket may have fewer.
        multiple: lengths are multiples of this: 8 or 128 suit some devices.
        value: fills up inputs; targets are filled with 0.
        shuffle: whether each pass has batches and an order of its own.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.

    Raises:
        ValueError: if numbers of rows or steps do not fit together, a sequence is empty or longer
            than all buckets, or there are no sequences.
    """
    inputs = read_leaves(x, "x", lengths)
    sizes = _sizes(inputs, lengths)
    rows = len(sizes)
    if isinstance(multiple, bool) or int(multiple) != multiple or multiple < 1:
        raise ValueError(f"multiple must be a whole number of at least 1; got {multiple!r}.")
    options = Options(batch_size, shuffle, seed)
    options.check()
    targets = None if y is None else _targets(y, sizes, lengths, inputs)
    ends = _boundaries(sizes, buckets, multiple)
    place = np.searchsorted(ends, sizes)
    members = [np.flatnonzero(place == number) for number in range(len(ends))]
    of_row = ends[place]

    def plan(generator: np.random.Generator | None) -> list[np.ndarray]:
        mixed = members if generator is None else [generator.permutation(each) for each in members]
        batches = [
            each[begin : begin + batch_size]
            for each in mixed
            for begin in range(0, len(each), batch_size)
        ]
        if generator is None:
            return batches
        return [batches[number] for number in generator.permutation(len(batches))]

    def make(chosen: np.ndarray) -> Any:
        steps = int(of_row[chosen[0]])
        batch = jax.tree.map(lambda leaf: leaf.batch(chosen, steps, value), inputs)
        if targets is None:
            return batch
        wanted = jax.tree.map(lambda leaf: leaf.batch(chosen, steps, 0), targets)
        if all(isinstance(leaf, Plain) for leaf in jax.tree.leaves(targets)):
            return batch, wanted
        within = (np.arange(steps) < sizes[chosen, None]).astype(np.float32)
        ones = np.ones(len(chosen), np.float32)
        return batch, wanted, jax.tree.map(
            lambda leaf: ones if isinstance(leaf, Plain) else within, targets
        )  # fmt: skip

    kinds = [(len(rows), int(of_row[rows[0]])) for rows in plan(None)]
    found = Buckets(rows, len(kinds), options, plan, make, "the sequences")
    found.boundaries = tuple(ends.tolist())
    found.shapes = tuple(dict.fromkeys(kinds))
    found.padding = float(1 - sizes.sum() / of_row.sum())
    return found


def _sizes(inputs: Any, lengths: Any) -> np.ndarray:
    """Steps of each row ``(rows,)``."""
    leaves = jax.tree.leaves(inputs)
    counts = {len(leaf) for leaf in leaves}
    if len(counts) > 1:
        raise ValueError(f"The inputs differ in their number of rows: {sorted(counts)}.")
    ragged = [leaf.sizes for leaf in leaves if isinstance(leaf, Ragged)]
    if lengths is not None:
        sizes = np.asarray(lengths)
        if sizes.shape != (len(leaves[0]),) or sizes.dtype.kind not in "iu":
            raise ValueError(
                f"lengths needs one whole number for each of the {len(leaves[0]):,} rows; got "
                f"{sizes.dtype} of shape {sizes.shape}."
            )
        ragged = [*ragged, sizes.astype(np.int64)]
    if not ragged:
        raise ValueError(
            "x has no sequences of different lengths. Pass a list of sequences, or padded arrays "
            "with lengths=(rows,)."
        )
    sizes = np.max(ragged, axis=0)
    if not len(sizes):
        raise ValueError("x has no rows. Pass at least one sequence.")
    if sizes.min() < 1:
        row = int(sizes.argmin())
        raise ValueError(f"Row {row} of x is an empty sequence. Leave such rows out.")
    return sizes


def _targets(y: Any, sizes: np.ndarray, lengths: Any, inputs: Any) -> Any:
    steps = {leaf.steps for leaf in jax.tree.leaves(inputs) if isinstance(leaf, Padded)}
    targets = read_leaves(y, "y", lengths, steps, sizes)
    for leaf in jax.tree.leaves(targets):
        if len(leaf) != len(sizes):
            raise ValueError(f"x has {len(sizes):,} rows and y {len(leaf):,}. Each needs one.")
        if isinstance(leaf, Ragged) and (leaf.sizes != sizes).any():
            row = int((leaf.sizes != sizes).argmax())
            raise ValueError(
                f"Row {row} has {sizes[row]} steps in x and {leaf.sizes[row]} in y. Targets of "
                "steps must be as many as the steps."
            )
    return targets


def _boundaries(sizes: np.ndarray, buckets: Any, multiple: int) -> np.ndarray:
    if np.ndim(buckets):
        ends = np.unique(np.asarray(buckets))
        if ends.dtype.kind not in "iu" or sizes.max() > ends[-1]:
            raise ValueError(
                f"buckets={buckets!r} must be whole numbers that reach the longest sequence, which "
                f"has {sizes.max():,} steps."
            )
    elif isinstance(buckets, bool) or int(buckets) != buckets or buckets < 1:
        raise ValueError(f"buckets must be a number of at least 1, or lengths; got {buckets!r}.")
    else:
        ends = best_lengths(sizes, int(buckets), int(multiple))
    return ends[np.unique(np.searchsorted(ends, sizes))]  # those that hold anything


def best_lengths(sizes: np.ndarray, buckets: int, multiple: int = 1) -> np.ndarray:
    """The lengths, at most so many, to which sequences are padded with the least padding.

    Found by dynamic programming over the different lengths: the best ``b`` lengths up to some
    length are the best ``b - 1`` up to a shorter one, and this one. Beyond `MOST` different lengths
    some are rounded up.

    Args:
        sizes: ``(rows,)`` lengths, at least 1.
        buckets: how many lengths.
        multiple: lengths are multiples of this.
    """
    grain = multiple * max(1, -(-int(sizes.max()) // (MOST * multiple)))
    lengths, rows = np.unique(-(-sizes // grain) * grain, return_counts=True)
    below = np.concatenate([[0], np.cumsum(rows)])
    # cost[i, j]: lengths i to j - 1 padded to that of j - 1
    ends = np.concatenate([[0], lengths])
    cost = ends * (below - below[:, None]).astype(np.float64)
    cost[np.tril_indices(len(ends))] = np.inf
    total = np.full(len(ends), np.inf)
    total[0] = 0
    choices = []
    for _ in range(min(buckets, len(lengths))):
        options = total[:, None] + cost
        choices.append(options.argmin(0))
        total = options.min(0)
    found, end = [], len(lengths)
    for choice in reversed(choices):
        found.append(int(lengths[end - 1]))
        end = int(choice[end])
    return np.array(found[::-1])
