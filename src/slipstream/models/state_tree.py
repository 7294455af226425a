"""All state of a model as nested dictionaries, by the paths of its variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

_FORMATS: dict[str, Callable[[Any], Any]] = {"backend_tensor": jnp.asarray, "numpy_array": np.array}


def get_state_tree(model: Any, value_format: str) -> dict[str, Any]:
    """See `Model.get_state_tree`."""
    if value_format not in _FORMATS:
        raise ValueError(
            f"value_format must be {' or '.join(map(repr, _FORMATS))}; got {value_format!r}."
        )
    tree: dict[str, Any] = {}
    for kind, variables in _kinds(model):
        tree[kind] = {}
        for variable in variables:
            *folders, name = variable.path.split("/")
            place = tree[kind]
            for folder in folders:
                place = place.setdefault(folder, {})
            place[name] = _FORMATS[value_format](variable.numpy())
    return tree


def set_state_tree(model: Any, tree: dict[str, Any]) -> None:
    """See `Model.set_state_tree`."""
    known = {
        f"{kind}/{variable.path}": variable
        for kind, variables in _kinds(model)
        for variable in variables
    }
    given = {path: np.asarray(value) for path, value in _leaves(tree)}
    problems = [f"there is no variable {path!r}" for path in given if path not in known]
    problems += [
        f"{path!r} has shape {value.shape} there and {known[path].shape} in the model"
        for path, value in given.items()
        if path in known and value.shape != known[path].shape
    ]
    if problems:
        raise ValueError(
            f"The state tree does not fit model {model.name!r}: {'; '.join(problems[:3])}. "
            "Take it from a model of the same architecture and names, compiled the same way."
        )
    for path, value in given.items():
        known[path].assign(value)


def _kinds(model: Any) -> Iterator[tuple[str, list[Any]]]:
    yield "trainable_variables", model.trainable_variables
    yield "non_trainable_variables", model.non_trainable_variables
    optimizer = getattr(model, "optimizer", None)
    yield "optimizer_variables", [] if optimizer is None else optimizer.variables
    yield "metrics_variables", model.metrics_variables


def _leaves(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", value
