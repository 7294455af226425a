"""Columns of tables by their names, for a `FeatureSpace` and for models of several inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def as_array(value: Any) -> Any:
    """A column as an array: numbers on the device, texts on the host."""
    if isinstance(value, jax.Array):
        return value
    array = np.asarray(value)
    return jnp.asarray(array) if array.dtype.kind in "fiub" else array


def is_frame(data: Any) -> bool:
    """Whether data are a table of pandas, polars or pyarrow."""
    return hasattr(data, "columns") and not isinstance(data, Mapping)


def columns_of(data: Any) -> dict[str, Any]:
    """The columns of a dictionary or frame."""
    if isinstance(data, Mapping):
        return {str(key): value for key, value in data.items()}
    names = getattr(data, "column_names", None) or data.columns  # pyarrow, or a frame
    return {str(name): data[name] for name in names}


def all_rows(dataset: Any) -> dict[str, np.ndarray]:
    """All rows of each column, from one table or batches of tables."""
    if isinstance(dataset, Mapping) or is_frame(dataset):
        return {key: np.asarray(value) for key, value in columns_of(dataset).items()}
    if isinstance(dataset, (str, bytes, np.ndarray)) or not isinstance(dataset, Iterable):
        raise ValueError(
            "A FeatureSpace learns from a dictionary of columns, a DataFrame, or batches of "
            f"dictionaries; got {type(dataset).__name__}."
        )
    parts: dict[str, list[np.ndarray]] = {}
    for batch in dataset:
        table = batch[0] if isinstance(batch, tuple) else batch
        for key, value in columns_of(table).items():
            parts.setdefault(key, []).append(np.asarray(value).reshape(-1))
    return {key: np.concatenate(values) for key, values in parts.items()}
