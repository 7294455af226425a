"""`get_file`: a file from an address, checked, kept and unpacked."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from slipstream.core import config
from slipstream.core.files import atomic

MAX_UNPACKED_BYTES = 2**40
_ENDINGS = (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tar", ".zip")
_FORMATS = ("auto", "tar", "zip", None)


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: Any = "auto",
    cache_dir: Any = None,
    force_download: bool = False,
) -> str:
    """The path of a file that is downloaded once and then kept.

    A download takes its place only when it is whole and its hash is right.

    Args:
        fname: its name; that of the address if not given.
        origin: its address.
        untar: older name of `extract`.
        md5_hash: older form of `file_hash`.
        file_hash: expected SHA-256 or MD5, in hexadecimal.
        cache_subdir: folder within `cache_dir`.
        hash_algorithm: ``"sha256"``, ``"md5"`` or ``"auto"``: by the length of the hash.
        extract: unpack a tar or zip archive, and give the path of the folder.
        archive_format: ``"tar"``, ``"zip"``, or ``"auto"`` to see for itself.
        cache_dir: where files are kept; our own cache if not given.
        force_download: download again.

    Raises:
        ValueError: if arguments make no sense, the hash differs, or the archive is damaged or
            reaches outside of its folder.
        OSError: if the download fails.
    """
    if not origin:
        raise ValueError("get_file needs origin, the address of the file.")
    name = fname or unquote(PurePosixPath(urlsplit(origin).path).name)
    if not name:
        raise ValueError(f"The address {origin!r} names no file. Give fname.")
    if name != os.path.basename(name) or name in (".", ".."):
        raise ValueError(f"fname is a name without folders; got {name!r}. Use cache_subdir.")
    if archive_format not in _FORMATS:
        raise ValueError(f"archive_format must be 'auto', 'tar' or 'zip'; got {archive_format!r}.")
    expected = file_hash or md5_hash
    if md5_hash and not file_hash:
        hash_algorithm = "md5"
    folder = Path(cache_dir).expanduser() if cache_dir else config.cache_dir()
    folder = folder / cache_subdir
    extract = (extract or untar) and archive_format is not None
    ending = next((e for e in _ENDINGS if name.lower().endswith(e)), "")
    target = folder / (name if ending or not extract else f"{name}_archive")
    if force_download or not _is_kept(target, expected, hash_algorithm):
        _download(origin, target, expected, hash_algorithm)
    if not extract:
        return str(target)
    unpacked = folder / (f"{name[: -len(ending)]}_extracted" if ending else name)
    if force_download or not unpacked.exists() or _older(unpacked, target):
        _unpack(target, unpacked, archive_format)
    return str(unpacked)


def _is_kept(path: Path, expected: str | None, algorithm: str) -> bool:
    return path.is_file() and (expected is None or _digest(path, expected, algorithm) == expected)


def _older(folder: Path, archive: Path) -> bool:
    return folder.stat().st_mtime < archive.stat().st_mtime


def _digest(path: Path, expected: str, algorithm: str) -> str:
    if algorithm == "auto":
        algorithm = "sha256" if len(expected) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ValueError(f"hash_algorithm must be 'auto', 'sha256' or 'md5'; got {algorithm!r}.")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _download(origin: str, target: Path, expected: str | None, algorithm: str) -> None:
    print(f"Downloading {origin}", file=sys.stderr)
    try:
        with urllib.request.urlopen(origin) as source, atomic(target) as temporary:
            declared = source.headers.get("Content-Length")
            with open(temporary, "wb") as out:
                shutil.copyfileobj(source, out, 2**20)
            received = temporary.stat().st_size
            if declared is not None and received != int(declared):
                raise OSError(f"the connection ended after {received:,} of {int(declared):,} bytes")
            if expected is not None:
                found = _digest(temporary, expected, algorithm)
                if found != expected.lower():
                    raise ValueError(
                        f"What {origin} gives has the hash {found}, not {expected}. It was not "
                        "kept. Check the hash, or whether the file has changed."
                    )
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise OSError(
            f"Downloading {origin} failed: {reason}. Check the address and the connection, or put "
            f"the file at {str(target)!r} yourself."
        ) from error


def _unpack(archive: Path, target: Path, archive_format: str) -> None:
    """Unpack into a folder that takes its place when it is whole."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        inside = Path(temporary) / "content"
        inside.mkdir()
        try:
            if archive_format in ("auto", "zip") and zipfile.is_zipfile(archive):
                _unzip(archive, inside)
            elif archive_format in ("auto", "tar") and tarfile.is_tarfile(archive):
                with tarfile.open(archive) as opened:
                    # Refuses absolute paths, links that leave the folder and devices (PEP 706).
                    opened.extractall(inside, filter="data")
            else:
                raise ValueError("it is neither a tar nor a zip archive")
        except (ValueError, tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
            raise ValueError(
                f"The archive {str(archive)!r} cannot be unpacked: {error}. Download it again with "
                "force_download=True."
            ) from error
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            target.unlink()
        os.replace(inside, target)
        os.utime(target)


def _unzip(archive: Path, target: Path) -> None:
    root = target.resolve()
    with zipfile.ZipFile(archive) as opened:
        if sum(entry.file_size for entry in opened.infolist()) > MAX_UNPACKED_BYTES:
            raise ValueError(f"it unpacks to more than {MAX_UNPACKED_BYTES:,} bytes")
        for entry in opened.infolist():
            name = entry.filename
            outside = not (root / name).resolve().is_relative_to(root)
            if outside or name.startswith(("/", "\\")) or "\\" in name:
                raise ValueError(f"its entry {name!r} lies outside of the folder")
            if entry.external_attr >> 16 & 0o170000 == 0o120000:
                raise ValueError(f"its entry {name!r} is a link")
        opened.extractall(target)
