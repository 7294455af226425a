"""What this machine is: measurements of another one say nothing here."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from pathlib import Path
from typing import Any

import jax

from slipstream.kernels import native


def about() -> dict[str, Any]:
    """Device, processor, cores, and the versions that decide what runs on them."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} {device.device_kind}",
        "processor": _processor(),
        "cores": native.threads(),
        "jax": jax.__version__,
        "kernels": native.library(),
    }


def key() -> str:
    """A name for files about this machine."""
    return hashlib.sha256(json.dumps(about(), sort_keys=True).encode()).hexdigest()[:32]


@cache
def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
