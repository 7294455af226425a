"""Weights in several files: ``name.weights.json`` says which, as in Keras 3."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from slipstream.core.files import atomic
from slipstream.models.hdf5 import group_of, put, stored_arrays
from slipstream.models.weights import parts

ENDING = ".weights.json"
MAX_INDEX_BYTES = 64 * 2**20


class _Writer:
    """Files that are filled one after the other."""

    def __init__(self, index: Path, limit: float) -> None:
        self._folder, self._limit = index.parent, limit
        self._stem = index.name.removesuffix(ENDING)
        # Never over the files of an older index: it stays whole until it is replaced.
        if any(self._folder.glob(f"{self._stem}_?????.weights.h5")):
            self._stem += f"_{secrets.token_hex(4)}"
        self._groups: dict[str, dict[str, Any]] = {}  # of the file to be written next
        self._size = 0
        self.names: list[str] = []
        self.map: dict[str, list[str]] = {}
        self.total = 0

    def add(self, group: str, name: str, array: Any) -> None:
        if self._size and self._size + array.nbytes > self._limit:
            self.flush()
        self._groups.setdefault(group, {})[name] = array
        self._size += array.nbytes
        self.total += array.nbytes

    def flush(self) -> None:
        import h5py

        name = f"{self._stem}_{len(self.names):05d}.weights.h5"
        with atomic(self._folder / name) as temporary, h5py.File(temporary, "w") as file:
            for group, arrays in self._groups.items():
                put(file.create_group(group), arrays)
                self.map.setdefault(f"/{group}", []).append(name)
        self.names.append(name)
        self._groups, self._size = {}, 0


def write(model: Any, index: Path, gigabytes: float) -> None:
    """Write a model's weights into files of at most so many GB (one array may be larger).

    Raises:
        ValueError: if the size is not above 0.
    """
    if not gigabytes > 0:
        raise ValueError(f"max_shard_size is a number of GB above 0; got {gigabytes!r}.")
    index.parent.mkdir(parents=True, exist_ok=True)
    before = files_of(index) if index.exists() else []
    writer = _Writer(index, gigabytes * 1e9)
    for part in parts(model):
        for name, array in stored_arrays(part).items():
            writer.add(group_of(part), name, array)
    writer.flush()
    content = {"metadata": {"total_size": writer.total}, "weight_map": writer.map}
    with atomic(index) as temporary:
        temporary.write_text(json.dumps(content, indent=4))
    for file in before:
        if file.name not in writer.names:
            file.unlink(missing_ok=True)


def files_of(index: Path) -> list[Path]:
    """The files that an index names, which lie beside it.

    Raises:
        ValueError: if it is damaged, or names a file elsewhere, a link, or one that is not there.
    """
    shown = str(index)
    if index.stat().st_size > MAX_INDEX_BYTES:
        raise ValueError(f"{shown!r} has over {MAX_INDEX_BYTES:,} bytes.")
    try:
        named = json.loads(index.read_bytes())["weight_map"].values()
        names = [name for each in named for name in (each if isinstance(each, list) else [each])]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{shown!r} is damaged: {error}. Save the weights again.") from error
    files = []
    for name in dict.fromkeys(map(str, names)):
        file = index.parent / name
        if file.name != name or not name.endswith(".weights.h5"):
            raise ValueError(f"{shown!r} names the file {name!r}, which is not one beside it.")
        if file.is_symlink() or not file.is_file():
            raise ValueError(f"{shown!r} names {name!r}, which is not there or is a link.")
        files.append(file)
    return files
