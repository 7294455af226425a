"""Order, counts and search."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from slipstream.core.operation import Array, operation
from slipstream.ops.define import as_float

op = operation("numpy")


@op
def sort(x: Array, axis: int | None = -1) -> Any:
    """Elements in rising order along `axis`."""
    return jnp.sort(jnp.asarray(x), axis)


@op
def argsort(x: Array, axis: int | None = -1) -> Any:
    """Places of the elements in rising order; equal ones keep theirs."""
    x = jnp.asarray(x)
    return jnp.argsort(x.ravel() if axis is None else x, -1 if axis is None else axis)


@op
def argpartition(x: Array, kth: int, axis: int = -1) -> Any:
    """Places of the elements such that the `kth` is in its sorted place, smaller ones before."""
    return jnp.argpartition(jnp.asarray(x), kth, axis)


@operation("numpy", "SearchSorted")
def searchsorted(sorted_sequence: Array, values: Array, side: str = "left") -> Any:
    """Where to insert each value so that the sorted vector stays sorted."""
    sequence = jnp.asarray(sorted_sequence)
    if sequence.ndim != 1:
        raise ValueError(
            f"searchsorted needs a sorted vector; got an array of shape {sequence.shape}. "
            "Use vectorized_map over its rows."
        )
    return jnp.searchsorted(sequence, values, side=side)


@op
def digitize(x: Array, bins: Array) -> Any:
    """The number of `bins` edges that are at most each element, int32."""
    return jnp.searchsorted(jnp.asarray(bins), x, side="right").astype(jnp.int32)


@operation("math")
def top_k(x: Array, k: int, sorted: bool = True) -> Any:
    """The `k` largest of the last axis, and their places.

    Args:
        sorted: kept for Keras' signature; they always come in falling order.
    """
    return tuple(jax.lax.top_k(jnp.asarray(x), k))


@operation("math")
def in_top_k(targets: Array, predictions: Array, k: int) -> Any:
    """Whether the prediction for each target is among the `k` largest of its row.

    Args:
        targets: ``(batch,)`` class numbers.
        predictions: ``(batch, classes)``.
    """
    targets, predictions = jnp.asarray(targets), jnp.asarray(predictions)
    own = jnp.take_along_axis(predictions, targets[..., None], -1)
    least = jax.lax.top_k(predictions, k)[0][..., -1:]
    return jnp.squeeze(own >= least, -1)


@op
def unique(
    x: Array,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: Any = None,
) -> Any:
    """The distinct elements, in rising order.

    Args:
        sorted: kept for Keras' signature.
        return_index: give the place of the first of each too.
        return_inverse: give the place of each element's value among the distinct ones too.
        return_counts: give the number of each too.
        axis: compare the slices along it, not elements.
        size: give so many, the rest filled up; needed inside programs.
        fill_value: what to fill up with, the smallest element unless given.
    """
    return jnp.unique(
        jnp.asarray(x),
        return_index,
        return_inverse,
        return_counts,
        axis,
        size=size,
        fill_value=fill_value,
    )


@op
def bincount(x: Array, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each whole number from 0 occurs, or the sum of its weights.

    Rows of ``(batch, size)`` are counted apart. Inside programs, where the largest number is not
    known, there are `minlength` bins.

    Raises:
        ValueError: inside a program, if `minlength` is 0; or if `sparse` is asked for.
    """
    if sparse:
        raise ValueError("bincount: sparse results are not supported; leave out sparse=True.")
    x = jnp.asarray(x)
    length = minlength
    if not isinstance(x, jax.core.Tracer):
        length = max(minlength, int(x.max(initial=-1)) + 1)
    elif not minlength:
        raise ValueError("bincount: inside a program pass minlength, the number of bins.")
    if weights is not None:
        weights = jnp.asarray(weights)
    counts = jnp.int32 if weights is None else weights.dtype

    def count(row: Any, row_weights: Any) -> Any:
        return jnp.bincount(row, row_weights, minlength, length=length).astype(counts)

    if x.ndim == 2:
        return jax.vmap(count, (0, None if weights is None else 0))(x, weights)
    return count(x, weights)


@op
def histogram(x: Array, bins: int = 10, range: Any = None) -> Any:
    """Counts of the elements in equal bins, and the bins' edges.

    Args:
        range: ``(least, largest)`` edge; those of the elements if not given.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"histogram: bins must be a whole number of at least 1; got {bins!r}.")
    if range is not None and (len(range) != 2 or range[0] > range[1]):
        raise ValueError(f"histogram: range must be (least, largest); got {range!r}.")
    return jnp.histogram(as_float(x), bins, None if range is None else tuple(range))


@op
def diff(a: Array, n: int = 1, axis: int = -1) -> Any:
    """Differences between neighbours along `axis`, taken `n` times."""
    return jnp.diff(jnp.asarray(a), n, axis)
