"""Sequences of unequal length in one array."""

from __future__ import annotations

from typing import Any

import numpy as np


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences, cut or filled to one length: ``(sequences, maxlen, …)``.

    Args:
        sequences: lists or arrays ``(steps, …)``.
        maxlen: the length; that of the longest if not given.
        dtype: type of the result; `object` for text.
        padding: whether to fill ``"pre"`` or ``"post"`` the sequence.
        truncating: whether to cut at its begin (``"pre"``) or end (``"post"``).
        value: what to fill with.

    Raises:
        ValueError: if a sequence is none, their steps differ in shape, or an argument is unknown.
    """
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"sequences must be a list of sequences; got {sequences!r}.")
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f"{name} must be 'pre' or 'post'; got {side!r}.")
    for place, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(
                f"sequences must be a list of sequences; entry {place} is {sequence!r}."
            )
    kind = np.dtype(dtype).kind
    if isinstance(value, str) and kind not in "OUS":
        raise ValueError(
            f"The value {value!r} does not fit dtype {dtype}. Use dtype=object for text."
        )
    filled = [np.asarray(sequence) for sequence in sequences if len(sequence)]
    steps = {array.shape[1:] for array in filled}
    if len(steps) > 1:
        raise ValueError(f"The steps of all sequences must have one shape; got {sorted(steps)}.")
    length = max((len(sequence) for sequence in sequences), default=0) if maxlen is None else maxlen
    result = np.full((len(sequences), length, *(steps.pop() if steps else ())), value, dtype)
    for row, sequence in zip(result, sequences):
        size = len(sequence)
        if not size or not length:
            continue
        kept = np.asarray(sequence, dtype)
        kept = kept[-length:] if truncating == "pre" else kept[:length]
        row[slice(length - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return result
