"""Our caches of data on disk stay below a bound: what was used the longest ago goes first."""

from __future__ import annotations

import os
import time
import weakref
from pathlib import Path
from typing import Any

from slipstream.core import config

BOUND_GB = 20.0  # unless SLIPSTREAM_CACHE_GB says otherwise
FOLDERS = ("streams", "tables")  # within the cache directory


def bound() -> int:
    """Bytes that the caches may take together.

    Raises:
        ValueError: if ``SLIPSTREAM_CACHE_GB`` is no number of at least 0.
    """
    said = os.environ.get("SLIPSTREAM_CACHE_GB", "")
    try:
        size = float(said) if said else BOUND_GB
    except ValueError:
        size = -1
    if not size >= 0:
        raise ValueError(
            f"SLIPSTREAM_CACHE_GB must be a number of gigabytes, at least 0; it is {said!r}. "
            f"Without it the caches of data may take {BOUND_GB:g}."
        )
    return int(min(size, 2**33) * 1e9)


def files() -> list[tuple[float, int, Path]]:
    """When each file was used last, its size and path; the one used the longest ago first."""
    found = []
    for folder in FOLDERS:
        for path in (config.cache_dir() / folder).glob("*.arrow"):
            try:
                state = path.stat()
            except OSError:  # another process was quicker
                continue
            found.append((state.st_atime, state.st_size, path))
    return sorted(found)


def trim(spare: Path) -> None:
    """Delete what is too much, but neither one file nor those that are in use."""
    left, most = files(), bound()
    total = sum(size for _, size, _ in left)
    for _, size, path in left:
        if total <= most:
            return
        if path != spare and _delete(path):
            total -= size


def in_use(path: Path, user: Any) -> None:
    """Note that a file is used now, and go on doing so as long as the user of it lives."""
    try:
        state = path.stat()
        os.utime(path, (time.time(), state.st_mtime))
        handle = open(path, "rb")  # noqa: SIM115 closed by the user's end
    except OSError:  # not ours to write, or gone
        return
    _lock(handle, shared=True)
    weakref.finalize(user, handle.close)


def _delete(path: Path) -> bool:
    """Delete a file that nobody uses; whether it went."""
    try:
        with open(path, "rb") as handle:
            if not _lock(handle, shared=False):
                return False
            path.unlink()
    except OSError:
        return False
    return True


def _lock(handle: Any, shared: bool) -> bool:
    """Lock a file until it is closed; True also where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows, which does not delete open files
        return True
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        pass
    return True
