"""Weights in files: HDF5 in the layout of Keras 3, and safetensors.

Only arrays are read, into variables that exist already; a file decides neither names nor sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slipstream.core.layer import Layer, held
from slipstream.core.names import snake_case
from slipstream.core.scope import Scope

MAX_OWN_BYTES = 2**30  # of an array whose size no variable says


class Part(NamedTuple):
    """A layer, or the optimizer, and where its state lies in a file.

    Attributes:
        path: group of the file, without ``/vars``.
        owner: the layer or optimizer.
        variables: what is stored under ``0``, ``1`` …; None where the owner stores by itself.
    """

    path: str
    owner: Any
    variables: list[Any] | None


def parts(model: Any) -> Iterator[Part]:
    """Every layer once, and then the optimizer if it is built."""
    seen: set[int] = set()

    def visit(item: Layer, path: str) -> Iterator[Part]:
        if id(item) in seen:
            return
        seen.add(id(item))
        yield Part(path, item, item.numbered_variables())
        counts: dict[str, int] = {}
        containers = _containers(item)
        for holder, inner in held_layers(item):
            place = f"{path}/{holder}".lstrip("/")
            if holder in containers:
                # A layer in an attribute goes by the attribute's name, one in a list by its class.
                base = f"{place}/{snake_case(type(inner).__name__)}"
                number = counts.get(base, 0)
                counts[base] = number + 1
                place = f"{base}_{number}" if number else base
            yield from visit(inner, place)

    yield from visit(model, "")
    optimizer = getattr(model, "optimizer", None)
    if optimizer is not None and optimizer.built:
        yield Part("optimizer", optimizer, optimizer.variables)


def held_layers(layer: Any) -> list[tuple[str, Layer]]:
    """The layers held directly, with the name of the attribute that holds each."""
    if hasattr(layer, "_stack"):
        return [("layers", inner) for inner in layer.layers]
    return [
        (name, child)
        for name, value in layer.attributes()
        for child in held(value)
        if isinstance(child, Layer)
    ]


def _containers(layer: Layer) -> set[str]:
    names = {
        name for name, value in vars(layer).items() if isinstance(value, (list, tuple, dict, set))
    }
    return names | ({"layers"} if hasattr(layer, "_stack") else set())


def storage(dtype: str) -> str:
    """Type on disk: bfloat16 is stored as the bits of its float32 value, as Keras does."""
    return "float32" if dtype == "bfloat16" else dtype


# ---- HDF5 ----------------------------------------------------------------------------------------


def write_hdf5(model: Any, path: Path) -> None:
    """Write all weights and the optimizer's state."""
    import h5py

    with h5py.File(path, "w") as file:
        for part in parts(model):
            group = file.create_group(f"{part.path}/vars".lstrip("/"))
            group.attrs["name"] = part.owner.name
            stored: dict[str, Any] = {}
            if part.variables is None:
                part.owner.save_own_variables(stored)
            else:
                stored = {str(i): variable.value for i, variable in enumerate(part.variables)}
            for name, value in stored.items():
                array = np.asarray(value)
                group.create_dataset(name, data=array.astype(storage(array.dtype.name)))


class _Reader:
    """Collects what a file holds for a model, and what does not fit."""

    def __init__(self) -> None:
        self.found: list[tuple[Any, np.ndarray]] = []
        self.own: list[tuple[Any, dict[str, np.ndarray]]] = []
        self.problems: list[str] = []

    def read(self, file: Any, part: Part) -> None:
        import h5py

        group = f"{part.path}/vars".lstrip("/")
        stored = file.get(group)
        if not isinstance(stored, h5py.Group):
            if part.variables and part.path != "optimizer":
                self.problems.append(f"it has no group {group!r} for {part.variables[0].path!r}")
            return
        if part.variables is None:
            self.own.append((part.owner, self._own(stored, group)))
            return
        if part.path == "optimizer" and len(stored) != len(part.variables):
            return  # another optimizer's state: start afresh, as Keras does
        for index, variable in enumerate(part.variables):
            dataset = self._dataset(stored, str(index), group, variable.path)
            if dataset is None:
                continue
            if dataset.shape != variable.shape:
                self.problems.append(
                    f"weight {variable.path!r} has shape {dataset.shape} there and "
                    f"{variable.shape} in the model"
                )
            else:
                self.found.append((variable, np.asarray(dataset[()])))

    def _own(self, stored: Any, group: str) -> dict[str, np.ndarray]:
        arrays = {}
        for name in stored:
            dataset = self._dataset(stored, name, group, name)
            if dataset is None:
                continue
            if dataset.size * dataset.dtype.itemsize > MAX_OWN_BYTES:
                self.problems.append(f"{group}/{name} declares {dataset.size:,} elements")
            else:
                arrays[name] = np.asarray(dataset[()])
        return arrays

    def _dataset(self, stored: Any, name: str, group: str, path: str) -> Any:
        import h5py

        if not isinstance(stored.get(name, getlink=True), h5py.HardLink):
            self.problems.append(f"it has no weight {path!r} ({group}/{name})")
            return None
        dataset = stored[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            self.problems.append(f"{group}/{name} is not stored in the file itself")
            return None
        return dataset


def read_hdf5(model: Any, path: Path, shown: str, skip_mismatch: bool = False) -> None:
    """Read what `write_hdf5` wrote; all or none, unless `skip_mismatch`.

    Raises:
        ValueError: if the file is damaged, or a weight is missing or of another shape.
    """
    import h5py

    reader = _Reader()
    try:
        with h5py.File(path, "r") as file:
            for part in parts(model):
                reader.read(file, part)
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{shown!r} is damaged or no HDF5 file: {error}.") from error
    for owner, arrays in reader.own:  # tried first where nothing stays
        try:
            with Scope(dry=True).active():
                owner.load_own_variables(arrays)
        except (ValueError, KeyError) as error:
            reader.problems.append(str(error))
    refuse(model, shown, [] if skip_mismatch else reader.problems)
    for owner, arrays in reader.own:
        with suppress(ValueError, KeyError):
            owner.load_own_variables(arrays)
    for variable, value in reader.found:
        variable.assign(value)


def refuse(model: Any, shown: str, problems: list[str]) -> None:
    """Raise a ValueError that names the first few problems, if there are any."""
    if not problems:
        return
    more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
    raise ValueError(
        f"The weights in {shown!r} do not fit model {model.name!r}: "
        + "; ".join(problems[:3])
        + more
        + ". Load them into the architecture they were saved from, or pass skip_mismatch=True."
    )


# ---- safetensors ---------------------------------------------------------------------------------


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


def write_safetensors(model: Any, path: Path) -> None:
    """Write the model's weights by name, without the optimizer's state."""
    arrays = {
        name: np.asarray(variable.value, order="C") for name, variable in _named(model).items()
    }
    _safetensors().save_file(arrays, path, metadata={"format": "np"})


def read_safetensors(model: Any, path: Path, shown: str, skip_mismatch: bool = False) -> None:
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


WRITERS: dict[str, Callable[[Any, Path], None]] = {
    ".weights.h5": write_hdf5,
    ".safetensors": write_safetensors,
}
READERS: dict[str, Callable[..., None]] = {
    ".weights.h5": read_hdf5,
    ".safetensors": read_safetensors,
}


def ending(path: Path) -> str | None:
    """Which of the known endings a file's name has, or None."""
    return next((known for known in WRITERS if path.name.endswith(known)), None)
