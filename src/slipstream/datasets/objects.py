"""Arrays and lists from pickled files, with nothing that a pickle could run."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

# All that plain arrays, lists and text are made of, under their old and new names.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "scalar"),
    ("_codecs", "encode"),
}


class _Arrays(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"the file asks for {module}.{name}, which no data need")
        return super().find_class(module, name)


def read_pickle(file: IO[bytes]) -> Any:
    """What was pickled, if it is made of arrays, numbers, text, lists and dictionaries alone.

    Text of Python 2 is read as bytes.

    Raises:
        ValueError: if it is made of anything else, or damaged.
    """
    try:
        return _Arrays(file, encoding="bytes").load()
    except (pickle.UnpicklingError, EOFError, AttributeError, ImportError) as error:
        raise ValueError(f"the file is damaged: {error}") from error


def read_npz(path: Path | str) -> dict[str, np.ndarray]:
    """The arrays of an ``.npz`` file, arrays of lists included.

    Raises:
        ValueError: if it is damaged or holds other objects.
    """
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                with archive.open(name) as file:
                    found[name.removesuffix(".npy")] = _read_array(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}. Delete it.") from error
    return found


def _read_array(file: Any) -> np.ndarray:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        raise ValueError(f"arrays of version {version} are unknown")
    shape, fortran, dtype = read[version](file)
    if dtype.hasobject:
        return read_pickle(file).reshape(shape)
    values = np.frombuffer(file.read(), dtype).copy()
    return values.reshape(shape[::-1]).T if fortran else values.reshape(shape)
