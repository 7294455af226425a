"""Windows that slide over a time series."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

import numpy as np

from slipstream.data.dataset import Dataset, Place, Placed


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
    format: str | None = None,
) -> Dataset:
    """Windows of a time series ``(steps, …)`` as batches ``(batch, sequence_length, …)``.

    Args:
        data: the series.
        targets: ``targets[i]`` belongs to the window that begins at step i; None for windows alone.
        sequence_length: steps of a window.
        sequence_stride: steps from the begin of one window to the next.
        sampling_rate: steps from one step of a window to the next.
        batch_size: windows of a batch; None for single ones.
        shuffle: whether each pass has an order of its own.
        seed: makes the orders repeatable; in `fit` the run's seed if not given.
        start_index, end_index: part of the series to use.
        format: kept for Keras' signature.

    Raises:
        ValueError: if a number makes no sense or lies outside of the data.
    """
    series = np.asarray(data)
    for name, value in (
        ("sequence_length", sequence_length),
        ("sequence_stride", sequence_stride),
        ("sampling_rate", sampling_rate),
    ):
        if not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1; got {value!r}.")
        if value >= len(series) + (name == "sequence_length"):
            raise ValueError(f"{name} is {value}, and the data have only {len(series)} steps.")
    begin = 0 if start_index is None else start_index
    end = len(series) if end_index is None else end_index
    if not 0 <= begin < len(series):
        raise ValueError(f"start_index must be from 0 to {len(series) - 1}; got {start_index}.")
    if not begin < end <= len(series):
        raise ValueError(f"end_index must be from {begin + 1} to {len(series)}; got {end_index}.")
    goals = None if targets is None else np.asarray(targets)
    starts = np.arange(begin, end - (sequence_length - 1) * sampling_rate, sequence_stride)
    if goals is not None:
        starts = starts[starts < len(goals)]
    if not len(starts):
        raise ValueError(
            f"No window fits: {end - begin} steps are used, and a window spans "
            f"{(sequence_length - 1) * sampling_rate + 1}."
        )
    within = np.arange(sequence_length) * sampling_rate

    def pick(begins: Any) -> Any:
        windows = series[begins[..., None] + within]
        return windows if goals is None else (windows, goals[begins])

    def make(place: Place) -> Iterator[Any]:
        order = starts
        if shuffle:
            own = place.seed if seed is None else seed
            order = np.random.default_rng([own, place.number]).permutation(starts)
        if batch_size is None:
            yield from map(pick, order[place.skip :])
            return
        for at in range(place.skip * batch_size, len(order), batch_size):
            yield pick(order[at : at + batch_size])

    return Placed(make, ceil(len(starts) / (batch_size or 1)))
