"""What a saved model's parts lie in: a zip file or a folder, read without trust in either."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from slipstream.core.files import atomic

BLOCK = 2**20
# What the module zipfile raises for one damaged byte or another.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError,
    NotImplementedError, OverflowError, IndexError, TypeError,
)  # fmt: skip


class Archive:
    """The parts of a zip file.

    Raises:
        ValueError: if it is none, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.shown = str(path)
        try:
            self._zip = zipfile.ZipFile(path)
            entries = self._zip.infolist()
            self._entries = {entry.filename: entry for entry in entries}
        except _DAMAGE as error:
            raise ValueError(
                f"{self.shown!r} is no .keras file, or it is damaged: {error}. Save the model "
                "again."
            ) from error
        if len(self._entries) != len(entries):
            self.close()
            raise ValueError(f"{self.shown!r} is damaged: it holds two parts of one name.")

    def names(self) -> list[str]:
        """Names of the parts, with slashes between folders."""
        return list(self._entries)

    def size(self, name: str) -> int:
        """Bytes that a part is said to have."""
        return self._entries[name].file_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A part's bytes; its checksum is compared when they are read to the end."""
        entry = self._entries[name]
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ValueError(f"{self.shown!r}: {name} is a link. Save the model again.")
        with self._zip.open(entry) as part:
            yield part

    def close(self) -> None:
        """Close the file."""
        self._zip.close()


class Folder:
    """The parts of a folder, as ``save(zipped=False)`` writes it. Links are no parts."""

    def __init__(self, path: Path) -> None:
        self.shown, self._path = str(path), path
        self._names = [
            file.relative_to(path).as_posix()
            for folder, _, files in os.walk(path, followlinks=False)
            for file in (Path(folder) / name for name in sorted(files))
            if stat.S_ISREG(os.lstat(file).st_mode)
        ]

    def names(self) -> list[str]:
        """Names of the parts, with slashes between folders."""
        return list(self._names)

    def size(self, name: str) -> int:
        """Bytes of a part."""
        return (self._path / name).stat().st_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """A part's bytes."""
        with open(self._path / name, "rb") as part:
            yield part

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The `Archive` or `Folder` that lies there."""
    parts = Folder(path) if path.is_dir() else Archive(path)
    try:
        yield parts
    finally:
        parts.close()


def unpack(parts: Any, name: str, target: Path, limit: int) -> None:
    """Copy a part to a file, at most `limit` bytes of it.

    Raises:
        ValueError: if it says it has more, has more than it says, or is damaged.
    """
    said = parts.size(name)
    if said > limit:
        raise ValueError(
            f"{parts.shown!r} declares {said:,} bytes of {name}; at most {limit:,} are expected."
        )
    written = 0
    try:
        with parts.open(name) as source, open(target, "wb") as out:
            while (block := source.read(BLOCK)) and written <= said:
                written += len(block)
                out.write(block)
    except _DAMAGE as error:
        raise ValueError(f"{parts.shown!r} is damaged: {error}. Save the model again.") from error
    if written != said:
        raise ValueError(f"{parts.shown!r} is damaged: {name} has another size than declared.")


def pack(folder: Path, path: Path) -> None:
    """Write the files of a folder into a zip file, uncompressed, whole at every moment."""
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for file in sorted(folder.rglob("*"), key=lambda file: (file.suffix != ".json", file)):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())


def place(folder: Path, path: Path) -> None:
    """Move a finished folder to `path`, in place of what is there.

    The old one is set aside first: a kill in between leaves it beside, as ``.<name>.….old``.
    """
    if not path.exists():
        os.replace(folder, path)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
    os.replace(path, aside / path.name)
    os.replace(folder, path)
    shutil.rmtree(aside)
