"""What another process measured, as it says it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from bench.layers.case import THREADS


def lines_of(module: str, arguments: list[str]) -> Iterator[dict[str, Any]]:
    """The JSON lines that ``python -m MODULE ARGUMENTS`` prints.

    Raises:
        RuntimeError: if the process fails, with the end of what it complained of.
    """
    settings = {"KERAS_BACKEND": "jax", "SLIPSTREAM_CACHE": "off", "OMP_NUM_THREADS": str(THREADS)}
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **settings},
            text=True,
        )
        assert child.stdout is not None
        for line in child.stdout:
            yield json.loads(line)
        if child.wait():
            errors.seek(0)
            raise RuntimeError(f"The process of {module} died:\n{errors.read()[-3000:]}")
