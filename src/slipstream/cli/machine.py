"""Facts about the machine, as far as the system tells them."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

_FEATURES = {
    "sse4_2": "SSE4.2",
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "avx512_vnni": "AVX-512 VNNI",
    "amx_tile": "AMX",
    "amx_bf16": "AMX BF16",
    "asimd": "NEON",
    "sve": "SVE",
    "bf16": "BF16",
}


def facts() -> dict[str, Any]:
    """System, processor, its vector instructions, cores and memory; None for what is not known."""
    model, features = cpu(_read("/proc/cpuinfo"))
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": model or platform.processor() or None,
        "features": features,
        "cores": usable_cores(),
        "cores_installed": os.cpu_count(),
        "memory_bytes": memory(),
    }


def cpu(text: str) -> tuple[str, list[str] | None]:
    """Name and vector instructions of the first processor in the text of ``/proc/cpuinfo``."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    flags = found.get("flags", found.get("features"))
    known = set((flags or "").split())
    shown = [title for flag, title in _FEATURES.items() if flag in known]
    return found.get("model name", ""), shown if flags is not None else None


def usable_cores() -> float:
    """Cores that this process may use: by affinity, and by a container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = float(len(os.sched_getaffinity(0)))
    else:
        cores = float(os.cpu_count() or 1)
    quota = _read("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit() and int(quota[1]):
        cores = min(cores, int(quota[0]) / int(quota[1]))
    return cores


def memory() -> int | None:
    """Bytes of memory, or of a container's share of it."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limit = _read("/sys/fs/cgroup/memory.max").strip()
    return min(total, int(limit)) if limit.isdigit() else total


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
