"""Weights in HDF5, in the layout of Keras 3, with checksums.

Only arrays are read, into variables that exist already; a file decides neither names nor sizes.
"""

from __future__ import annotations

import zlib
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.core.scope import Scope
from slipstream.models.weights import Part, parts, refuse, storage

MAX_OWN_BYTES = 2**30  # of an array whose size no variable says
CHECKSUM = "crc32"
# What h5py raises for one damaged byte or another.
_DAMAGE = (
    OSError, RuntimeError, ValueError, KeyError, TypeError, AttributeError, MemoryError,
    OverflowError, NotImplementedError,
)  # fmt: skip


def stored_arrays(part: Part) -> dict[str, np.ndarray]:
    """What files hold of a part, in the types that they hold it in."""
    stored: dict[str, Any] = {}
    if part.variables is None:
        part.owner.save_own_variables(stored)
    else:
        stored = {str(i): variable.value for i, variable in enumerate(part.variables)}
    arrays = {name: np.asarray(value) for name, value in stored.items()}
    return {name: array.astype(storage(array.dtype.name)) for name, array in arrays.items()}


def put(group: Any, arrays: dict[str, np.ndarray]) -> None:
    """Write arrays into a group of a file, with a checksum over them."""
    for name, array in arrays.items():
        group.create_dataset(name, data=array)
    if arrays:
        group.attrs[CHECKSUM] = checksum(arrays)


def checksum(arrays: dict[str, np.ndarray]) -> int:
    """CRC-32 over names, types, shapes and values: HDF5 itself would not notice a flipped bit."""
    value = 0
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        value = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), value)
        if array.dtype.kind in "biufc":
            value = zlib.crc32(np.ascontiguousarray(array).data.cast("B"), value)
    return value


def write(model: Any, path: Path) -> None:
    """Write all weights and the optimizer's state."""
    import h5py

    with h5py.File(path, "w") as file:
        for part in parts(model):
            group = file.create_group(group_of(part))
            group.attrs["name"] = part.owner.name
            put(group, stored_arrays(part))


def group_of(part: Part) -> str:
    """The group of a file in which a part's arrays lie."""
    return f"{part.path}/vars".lstrip("/")


class _Reader:
    """Collects what files hold for a model, and what does not fit."""

    def __init__(self) -> None:
        self.found: list[tuple[Any, np.ndarray]] = []
        self.own: list[tuple[Any, dict[str, np.ndarray]]] = []
        self.problems: list[str] = []

    def read(self, files: list[Any], part: Part) -> None:
        group = group_of(part)
        holders = [holder for file in files if (holder := _group(file, group)) is not None]
        if not holders:
            if part.variables and part.path != "optimizer":
                self.problems.append(f"it has no group {group!r} for {part.variables[0].path!r}")
            return
        places = {name: holder for holder in holders for name in holder}
        if sum(map(len, holders)) != len(places):
            raise ValueError(f"it holds {group} twice")
        if part.variables is None:
            arrays = self._arrays(places, group, dict.fromkeys(places, MAX_OWN_BYTES))
            self.own.append((part.owner, arrays))
        elif part.path != "optimizer" or len(places) == len(part.variables):
            # Another optimizer's state is left alone: it starts afresh, as in Keras.
            wanted = {str(i): variable for i, variable in enumerate(part.variables)}
            arrays = self._arrays(places, group, wanted)
            self.found += [(wanted[name], array) for name, array in arrays.items()]
        else:
            return
        for holder in holders:
            if CHECKSUM in holder.attrs and set(holder) <= set(arrays):
                own = {name: arrays[name] for name in holder}
                if int(holder.attrs[CHECKSUM]) != checksum(own):
                    raise ValueError(f"the checksum of {group} is another one than stored")

    def _arrays(
        self, places: dict[str, Any], group: str, wanted: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        """The arrays of these names: for variables, or up to so many bytes."""
        arrays = {}
        for name, limit in wanted.items():
            what = name if isinstance(limit, int) else limit.path
            dataset = self._dataset(places.get(name), name, group, what)
            if dataset is None:
                continue
            if isinstance(limit, int):
                if dataset.size * dataset.dtype.itemsize > limit:
                    self.problems.append(f"{group}/{name} declares {dataset.size:,} elements")
                    continue
            elif dataset.shape != limit.shape:
                self.problems.append(
                    f"weight {what!r} has shape {dataset.shape} there and {limit.shape} in the "
                    "model"
                )
                continue
            elif dataset.dtype.kind not in "biuf":
                self.problems.append(f"{group}/{name} holds no numbers")
                continue
            arrays[name] = np.asarray(dataset[()])
        return arrays

    def _dataset(self, stored: Any, name: str, group: str, path: str) -> Any:
        import h5py

        if stored is None or not isinstance(stored.get(name, getlink=True), h5py.HardLink):
            self.problems.append(f"it has no weight {path!r} ({group}/{name})")
            return None
        dataset = stored[name]
        if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
            self.problems.append(f"{group}/{name} is not stored in the file itself")
            return None
        return dataset


def _group(file: Any, path: str) -> Any:
    """A group of the file, reached without links that lead elsewhere; None if there is none."""
    import h5py

    place = file
    for name in path.split("/"):
        if not isinstance(place, h5py.Group):
            return None
        if not isinstance(place.get(name, getlink=True), h5py.HardLink):
            return None
        place = place[name]
    return place if isinstance(place, h5py.Group) else None


def read(model: Any, files: list[Path], shown: str, skip_mismatch: bool = False) -> None:
    """Read what `write` wrote, or its shards; all or none, unless `skip_mismatch`.

    Raises:
        ValueError: if a file is damaged, or a weight is missing or of another shape.
    """
    import h5py

    reader = _Reader()
    try:
        with ExitStack() as stack:
            handles = [stack.enter_context(h5py.File(file, "r")) for file in files]
            for part in parts(model):
                reader.read(handles, part)
    except _DAMAGE as error:
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
