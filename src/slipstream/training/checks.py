"""Finding bad data before the training starts, with the place and a remedy."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from slipstream import losses
from slipstream.training.objective import Objective


def check_finite(data: dict[str, Any]) -> None:
    """Raise if a float array holds NaN or Inf.

    Args:
        data: arrays or structures of them, by the name the user knows them by.

    Raises:
        ValueError: naming the array, the number of bad values and the first one's place.
    """
    for name, tree in data.items():
        for path, leaf in jax.tree.flatten_with_path(tree)[0]:
            array = np.asarray(leaf)
            if array.dtype.kind != "f" and array.dtype.name != "bfloat16":
                continue
            if _sum_is_finite(array):
                continue
            bad = ~np.isfinite(array.astype(np.float32, copy=False))
            if not bad.any():
                continue
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            raise ValueError(
                f"{name}{jax.tree_util.keystr(path)} holds {int(bad.sum())} values that are NaN "
                f"or infinite; the first, {array[place]}, is at index {place} (row {place[0]}). "
                "Drop those rows or fill the values in, for example with numpy.nan_to_num. "
                "To train on them all the same, call slipstream.config.set_check_data(False)."
            )


def _sum_is_finite(array: np.ndarray) -> bool:
    """A quick test that no value is NaN or infinite: one pass, no copy."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum(dtype=np.float64 if array.size < 4096 else None)))


def check_targets(objective: Objective, y: Any, outputs: Any) -> None:
    """Raise if targets do not fit the losses and the outputs.

    Args:
        objective: the bound objective.
        y: targets, arrays on the host.
        outputs: shapes of the model's outputs.

    Raises:
        ValueError: naming the loss, both shapes or the label at fault, and a remedy.
    """
    predictions = jax.tree.leaves(outputs)
    if y is None or len(jax.tree.leaves(y)) != len(predictions):
        if y is None and any(loss is not None for loss in objective.losses):
            raise ValueError(
                "The model was compiled with a loss, but there are no targets: y is None. "
                "Pass y=…, or batches of (x, y)."
            )
        return  # the objective says which output has no target
    truths = objective.per_output(y, outputs)
    for loss, truth, prediction in zip(objective.losses, truths, predictions):
        if loss is not None:
            _check_target(loss, truth, prediction.shape)


def kind_of(loss: Any) -> str:
    """Which family of target a loss wants: by its class, or the function it wraps."""
    name = getattr(getattr(loss, "fn", None), "__name__", "") or type(loss).__name__
    return name.replace("_", "").lower()


def _check_target(loss: Any, truth: Any, shape: tuple[int, ...]) -> None:
    kind, truth = kind_of(loss), np.asarray(truth)
    if kind == "sparsecategoricalcrossentropy":
        _check_sparse(loss, truth, shape)
    elif kind in ("categoricalcrossentropy", "categoricalfocalcrossentropy"):
        if truth.shape[1:] != shape[1:] and truth.size and len(shape) > 1:
            raise ValueError(
                f"{loss.name} wants one-hot targets of the output's shape {shape[1:]} each; got "
                f"targets of shape {truth.shape[1:]}. "
                + (
                    "For class numbers use the loss 'sparse_categorical_crossentropy'."
                    if shape[-1] > 1
                    else "For two classes and one output use 'binary_crossentropy'."
                )
            )
    elif kind in ("binarycrossentropy", "binaryfocalcrossentropy"):
        _check_same(loss, truth, shape)
        if truth.size and (truth.max() > 1 or truth.min() < 0):
            raise ValueError(
                f"{loss.name} wants targets between 0 and 1; got values from {truth.min()} to "
                f"{truth.max()}. Map two classes to 0 and 1, or use "
                "'sparse_categorical_crossentropy' with one output a class."
            )
    elif isinstance(loss, losses.LossFunctionWrapper) and loss.per_example:
        _check_same(loss, truth, shape)


def _check_sparse(loss: Any, truth: np.ndarray, shape: tuple[int, ...]) -> None:
    classes = shape[-1]
    if classes == 1:
        raise ValueError(
            f"{loss.name} wants one output for each class, but the model's output has shape "
            f"{shape}: a single one. Use 'binary_crossentropy' with one sigmoid output, or give "
            "the last layer as many units as there are classes."
        )
    if truth.shape[1:] == shape[1:]:
        raise ValueError(
            f"{loss.name} wants class numbers, but the targets have the output's shape "
            f"{truth.shape[1:]}. For one-hot targets use 'categorical_crossentropy'."
        )
    ignored = getattr(loss, "ignore_class", None)
    counted = truth if ignored is None else truth[truth != ignored]
    if counted.size and (counted.min() < 0 or counted.max() >= classes):
        wrong = counted.max() if counted.max() >= classes else counted.min()
        row = int(np.argwhere(truth == wrong)[0][0])
        raise ValueError(
            f"{loss.name} with {classes} outputs wants labels from 0 to {classes - 1}; got "
            f"{wrong} in row {row} (labels run from {counted.min()} to {counted.max()}). "
            "Number the classes from 0, or give the last layer more units."
        )


def _check_same(loss: Any, truth: np.ndarray, shape: tuple[int, ...]) -> None:
    """Targets have the output's shape, a last axis of size 1 apart."""
    wanted = tuple(shape[1:])
    got = truth.shape[1:]
    if got == wanted or (wanted[-1:] == (1,) and got == wanted[:-1]) or got == (*wanted, 1):
        return
    raise ValueError(
        f"{loss.name} compares targets and outputs element by element: each output has shape "
        f"{wanted}, each target {got}. Change the last layer's units, or the targets."
    )
