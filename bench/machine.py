"""What the tables stand under: machine, versions and date."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from datetime import date
from pathlib import Path


def heading(title: str) -> str:
    """Machine, versions and date."""
    packages = [
        *("slipstream", "jax", "keras", "tensorflow-cpu", "torch", "flax", "optax"),
        *("scikit-learn", "numpy"),
    ]
    versions = []
    for name in packages:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} –")
    return "\n".join(
        [
            f"# {title}",
            "",
            f"`python -m bench`, {date.today()}, {device()}, Python "
            f"{platform.python_version()}; {', '.join(versions)}.",
            "",
        ]
    )


def device() -> str:
    """What computes: the first GPU if there is one, else the processor."""
    listed = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
    if shutil.which(listed[0]):
        found = subprocess.run(listed, capture_output=True, text=True).stdout.split("\n")[0]
        name, _, driver = found.partition(", ")
        if driver:
            return f"one {name} (driver {driver}), {os.cpu_count()} cores"
    return f"{os.cpu_count()} cores ({processor()})"


def processor() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
