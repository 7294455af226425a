"""Weights in safetensors: by name, without the optimizer's state."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slipstream.models.weights import parts, refuse


def _named(model: Any) -> dict[str, Any]:
    """The model's weights by layer's place and own name; a number tells equal names apart."""
    named: dict[str, Any] = {}
    for part in parts(model):
        if part.path == "optimizer":
            continue
        for variable in part.owner.own_variables():
            start = f"{part.path}/{variable.name}".lstrip("/")
            name, number = start, 1
            while name in named and named[name] is not variable:
                name, number = f"{start}_{number}", number + 1
            named[name] = variable
    return named


def _safetensors() -> Any:
    try:
        import safetensors.numpy as found
    except ImportError as error:
        raise ImportError(
            "Files that end in .safetensors need the package safetensors: "
            "pip install 'slipstream[safetensors]'."
        ) from error
    return found


def write(model: Any, path: Path) -> None:
    """Write the model's weights by name, without the optimizer's state."""
    arrays = {
        name: np.asarray(variable.value, order="C") for name, variable in _named(model).items()
    }
    _safetensors().save_file(arrays, path, metadata={"format": "np"})


def read(model: Any, path: Path, shown: str, skip_mismatch: bool = False) -> None:
    """Read weights by name; all or none, unless `skip_mismatch`.

    Raises:
        ValueError: if the file is damaged, or a weight is missing or of another shape.
    """
    module, variables = _safetensors(), _named(model)
    try:
        arrays = module.load_file(path)
    except Exception as error:  # the package raises its own kind for every fault of a file
        raise ValueError(f"{shown!r} is damaged or no safetensors file: {error}.") from error
    problems = [f"it has no weight {name!r}" for name in variables if name not in arrays]
    problems += [
        f"weight {name!r} has shape {arrays[name].shape} there and {variable.shape} in the model"
        for name, variable in variables.items()
        if name in arrays and arrays[name].shape != variable.shape
    ]
    refuse(model, shown, [] if skip_mismatch else problems)
    for name, variable in variables.items():
        if name in arrays and arrays[name].shape == variable.shape:
            variable.assign(arrays[name])
