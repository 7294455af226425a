"""What our caches take on disk, by folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from slipstream.core import config
from slipstream.data.streams import bounded

FOLDERS = {
    "streams": "data that .cached() keeps",
    "tables": "parsed CSV files",
    "datasets": "datasets and fetched files",
    "programs": "compiled training programs",
    "xla": "other compiled programs",
    "ceilings": "how fast the machine is",
    "forms": "which kernels won races here",
}


def caches() -> dict[str, Any]:
    """Size of each folder in the cache directory, and the bound of the data caches.

    ``bound_bytes`` is None, and ``problem`` a sentence, where the bound is set to nonsense.
    """
    bound, problem = None, None
    try:
        bound = bounded.bound()
    except ValueError as error:
        problem = str(error)
    folders = {}
    for name in FOLDERS:
        sizes = _sizes(config.cache_dir() / name)
        bounds = name in bounded.FOLDERS
        folders[name] = {"bytes": sum(sizes), "files": len(sizes), "bounded": bounds}
    return {
        "directory": home(config.cache_dir()),
        "bytes": sum(found["bytes"] for found in folders.values()),
        "folders": folders,
        "bound_bytes": bound,
        "problem": problem,
    }


def lines(found: dict[str, Any]) -> dict[str, str]:
    """What `caches` found as facts for the screen, the folders that are there alone."""
    shown = {
        name: f"{amount(each['bytes'])}, {FOLDERS[name]}"
        for name, each in found["folders"].items()
        if each["files"]
    }
    if found["bound_bytes"] is not None:
        both = " and ".join(bounded.FOLDERS)
        used = sum(each["bytes"] for each in found["folders"].values() if each["bounded"])
        shown["bound"] = (
            f"{both} take {amount(used)} of {amount(found['bound_bytes'])}, "
            "which SLIPSTREAM_CACHE_GB sets; the longest unused go first"
        )
    shown["to free"] = (
        "delete any of these folders; they are made again when needed, but datasets must be fetched"
    )
    return shown


def amount(size: int) -> str:
    """Bytes for people, in the decimal units of ``SLIPSTREAM_CACHE_GB``."""
    return f"{size / 1e9:,.2f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"


def home(path: Path) -> str:
    """A path without the name of its user, fit to be shown to others."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)


def _sizes(folder: Path) -> list[int]:
    """Sizes of all files below a folder; links count as what they take themselves."""
    sizes = []
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                sizes.append(os.lstat(os.path.join(place, name)).st_size)
            except OSError:  # another process was quicker
                continue
    return sizes
