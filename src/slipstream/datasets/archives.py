"""Files inside source distributions: read where they lie, with nothing unpacked or executed."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

_MOST_BYTES = 2**26

Archive = Path | io.BytesIO


def members(archive: Archive, start: str, end: str = "") -> dict[str, bytes]:
    """Contents of all files in a gzipped tar file whose names start and end so.

    Raises:
        ValueError: if it is no gzipped tar file, or declares a file larger than 64 MB.
    """
    found = {}
    path, file = (archive, None) if isinstance(archive, Path) else (None, archive)
    try:
        with tarfile.open(path, "r:gz", file) as tar:
            for info in tar:
                if not (info.isfile() and info.name.startswith(start) and info.name.endswith(end)):
                    continue
                if info.size > _MOST_BYTES:
                    raise ValueError(f"{info.name} declares {info.size:,} bytes")
                content = tar.extractfile(info)
                assert content is not None  # a file has content
                found[info.name] = content.read()
    except tarfile.TarError as error:
        raise ValueError(f"it is no whole gzipped tar file ({error})") from error
    return found


def member(archive: Archive, name: str) -> bytes:
    """Content of one file in a gzipped tar file.

    Raises:
        ValueError: as `members`, or if there is no such file.
    """
    found = members(archive, name)
    if name not in found:
        raise ValueError(f"it does not hold {name}")
    return found[name]
