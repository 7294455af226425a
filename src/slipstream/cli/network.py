"""The network that ``slipstream train`` trains: dense layers behind a fixed scaling."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream import layers, optimizers
from slipstream.cli.problem import Problem
from slipstream.cli.target import Target
from slipstream.models import Sequential


def is_image(shape: tuple[int, ...]) -> bool:
    """Whether a row of this shape is a picture: ``(height, width)`` or ``(height, width, 1|3)``."""
    return len(shape) in (2, 3) and min(shape[:2]) >= 4 and (len(shape) == 2 or shape[2] in (1, 3))


def build(
    x: np.ndarray, target: Target, train: np.ndarray, hidden: list[int], dropout: float
) -> Sequential:
    """An untrained network for these data.

    Args:
        x: ``(rows, …)`` inputs, of which those of `train` set the scaling.
        target: what is to be predicted.
        train: numbers of the training rows.
        hidden: units of each hidden layer.
        dropout: share dropped after each hidden layer, and of a picture's pixels.
    """
    seen = x[train]
    stack: list[Any] = [layers.Input(x.shape[1:])]
    picture = is_image(x.shape[1:])
    if picture and seen.min() >= 0:
        stack.append(layers.Rescaling(1 / max(float(seen.max()), 1e-6)))
    else:
        stack.append(_normalization(seen))
    if x.ndim > 2:
        stack.append(layers.Flatten())
    if picture and dropout:
        stack.append(layers.Dropout(dropout))
    for units in hidden:
        stack.append(layers.Dense(units, activation="relu"))
        if dropout:
            stack.append(layers.Dropout(dropout))
    if target.classes is not None:
        stack.append(layers.Dense(len(target.classes), activation="softmax"))
    else:
        stack.append(layers.Dense(1))
        y = target.y[train].astype(np.float64)
        # The network works on a scale of its own; what comes out is in the target's units.
        stack.append(layers.Rescaling(_spread(y), float(y.mean()), name="units"))
    return Sequential(stack)


def compile_model(
    model: Sequential,
    target: Target,
    train: np.ndarray,
    optimizer: str,
    learning_rate: float | None,
) -> None:
    """Set loss, metrics and optimizer.

    Raises:
        Problem: if there is no such optimizer, or the learning rate does not suit it.
    """
    try:
        chosen = optimizers.get(optimizer)
        if learning_rate is not None:
            chosen = type(chosen)(learning_rate=learning_rate)
    except (TypeError, ValueError) as error:
        raise Problem(f"--optimizer {optimizer}: {error}") from error
    if target.classes is not None:
        model.compile(chosen, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return
    # As a share of the variance, so that 1 is as good as the mean and steps suit any unit.
    variance = _spread(target.y[train].astype(np.float64)) ** 2
    model.compile(chosen, "mse", loss_weights=1 / variance, metrics=["mae"])


def _normalization(seen: np.ndarray) -> Any:
    """Mean 0 and variance 1 in each column; columns without variance are only shifted."""
    rows = seen.reshape(-1, seen.shape[-1])
    mean, variance = rows.mean(0, dtype=np.float64), rows.var(0, dtype=np.float64)
    variance[variance <= (1e-6 * mean) ** 2] = 1.0
    return layers.Normalization(mean=mean.tolist(), variance=variance.tolist())


def _spread(y: np.ndarray) -> float:
    return float(y.std()) or 1.0
