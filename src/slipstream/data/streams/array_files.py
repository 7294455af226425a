"""Arrays on disk that are read part by part: NumPy's files, memory-mapped, and HDF5."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from slipstream.data.streams.columns import Columns

PART_BYTES = 4 * 2**20


class Stored(NamedTuple):
    """An array on disk.

    Attributes:
        shape, dtype: of the array, rows first.
        chunk: rows that are stored together.
        offset: where its values begin in the file; None if they are compressed.
        fortran: whether columns are stored one after the other.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    chunk: int = 1
    offset: int | None = None
    fortran: bool = False

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize


class ArrayFile:
    """Named arrays with a row for each example; see `PartedFile`.

    Attributes:
        path: what it is called in errors.
        arrays: the arrays by name.
        sizes: rows and bytes of each part, once it is known which arrays are read.
    """

    def __init__(self, path: str, arrays: dict[str, Stored]) -> None:
        self.path = path
        self.arrays = {name: array for name, array in arrays.items() if array.shape}
        if not self.arrays:
            raise ValueError("it holds no array with rows")
        self.sizes: list[tuple[int, int]] = []
        self._rows = 1  # of a part

    @property
    def kinds(self) -> dict[str, str]:
        """The arrays: ``"whole"``, ``"real"`` or ``"other"``."""
        kinds = {"b": "whole", "i": "whole", "u": "whole", "f": "real"}
        return {name: kinds.get(a.dtype.kind, "other") for name, a in self.arrays.items()}

    def narrow(self, names: Sequence[str]) -> None:
        """Say which arrays will be read.

        Raises:
            ValueError: if one is not there, or they differ in their number of rows.
        """
        for name in names:
            if name not in self.arrays:
                raise ValueError(f"it has no array {name!r}")
        chosen = {name: self.arrays[name] for name in names}
        if len({array.shape[0] for array in chosen.values()}) > 1:
            shown = ", ".join(f"{name!r}: {array.shape[0]}" for name, array in chosen.items())
            raise ValueError(
                f"its arrays differ in their number of rows ({shown}). Name those that belong "
                "together in columns=… and target=…"
            )
        rows = next(iter(chosen.values())).shape[0]
        width = max(sum(array.row_bytes for array in chosen.values()), 1)
        chunk = max(array.chunk for array in chosen.values())
        self._rows = max(PART_BYTES // width // chunk, 1) * chunk
        counts = [min(self._rows, rows - start) for start in range(0, rows, self._rows)]
        self.sizes = [(count, count * width) for count in counts]

    def missing(self, names: Sequence[str]) -> set[str]:
        """None: arrays of whole numbers have a value everywhere."""
        return set()

    def read(self, part: int, names: Sequence[str]) -> Columns:
        """Some arrays' rows of a part."""
        start = part * self._rows
        rows = slice(start, start + self.sizes[part][0])
        return {name: _plain(self._rows_of(name, rows)) for name in names}

    def _rows_of(self, name: str, rows: slice) -> np.ndarray:
        raise NotImplementedError


class ArraysInMemory(ArrayFile):
    """A dictionary of arrays in memory."""

    def __init__(self, path: str, arrays: dict[str, Any]) -> None:
        self._values = {name: np.asarray(array) for name, array in arrays.items()}
        super().__init__(path, {k: Stored(v.shape, v.dtype) for k, v in self._values.items()})

    def _rows_of(self, name: str, rows: slice) -> np.ndarray:
        return self._values[name][rows]


class NumPyFile(ArrayFile):
    """A ``.npy`` file, or an ``.npz`` file. What is not compressed is memory-mapped."""

    def __init__(self, path: str) -> None:
        self._whole: dict[str, np.ndarray] = {}
        if not zipfile.is_zipfile(path):
            with open(path, "rb") as file:
                shape, fortran, dtype = _header(file)
                found = {"data": Stored(shape, dtype, 1, file.tell(), fortran)}
        else:
            found = {}
            with zipfile.ZipFile(path) as archive, open(path, "rb") as raw:
                for member in archive.infolist():
                    with archive.open(member) as file:
                        shape, fortran, dtype = _header(file)
                        offset = None
                        if member.compress_type == zipfile.ZIP_STORED:
                            offset = _begin(raw, member) + file.tell()
                    name = member.filename.removesuffix(".npy")
                    found[name] = Stored(shape, dtype, 1, offset, fortran)
        super().__init__(path, found)
        for name, array in self.arrays.items():
            if array.offset is not None and array.shape[0]:
                self._map(name)  # raises if the file is cut short

    def _map(self, name: str) -> np.ndarray:
        array = self.arrays[name]
        assert array.offset is not None
        order: Any = "F" if array.fortran else "C"
        return np.memmap(self.path, array.dtype, "r", array.offset, array.shape, order)

    def _rows_of(self, name: str, rows: slice) -> np.ndarray:
        if self.arrays[name].offset is not None:
            return np.array(self._map(name)[rows])
        if name not in self._whole:
            with np.load(self.path, allow_pickle=False) as file:
                self._whole[name] = file[name]
        return self._whole[name][rows]


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are not read as they may run code")
    return shape, fortran, dtype


def _begin(raw: Any, member: zipfile.ZipInfo) -> int:
    """Where a member's content begins: after a header of its own (ZIP specification, 4.3.7)."""
    raw.seek(member.header_offset)
    start = raw.read(30)
    name, extra = (int.from_bytes(start[i : i + 2], "little") for i in (26, 28))
    return member.header_offset + 30 + name + extra


class HDF5File(ArrayFile):
    """An HDF5 file. Links are not followed: what is read lies in the file itself."""

    def __init__(self, path: str) -> None:
        import h5py

        found: dict[str, Stored] = {}

        def see(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and not item.external:
                text = h5py.check_string_dtype(item.dtype) is not None
                dtype = np.dtype(object) if text else item.dtype
                found[name] = Stored(item.shape, dtype, item.chunks[0] if item.chunks else 1)

        with h5py.File(path, "r") as file:
            file.visititems(see)
        super().__init__(path, found)

    def _rows_of(self, name: str, rows: slice) -> np.ndarray:
        import h5py

        with h5py.File(self.path, "r") as file:
            item = file[name]
            return item.asstr()[rows] if self.arrays[name].dtype.hasobject else item[rows]


def _plain(array: np.ndarray) -> np.ndarray:
    """Text of a fixed width as Python strings, which join with longer ones."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    return array.astype(object) if array.dtype.kind == "U" else array
