"""What compiling leaves free goes back to the system."""

import platform
import subprocess
import sys

import numpy as np
import pytest

from slipstream import layers
from slipstream.core import engine
from slipstream.models import Sequential

# 100 MB in pieces, of which every hundredth stays, so that the C library gives nothing back alone.
PIECES = """
from slipstream.core import engine
def resident():
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
pieces = [bytes(1000) for _ in range(100_000)]
pieces = pieces[::100]
before = resident()
engine.trim()
print(before - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no way")
def test_free_pieces_go_back():
    done = subprocess.run(
        [sys.executable, "-c", PIECES], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 50


def test_after_compiling_and_only_then(monkeypatch):
    calls = []
    monkeypatch.setattr(engine, "trim", lambda: calls.append(1))
    monkeypatch.setenv("SLIPSTREAM_CACHE", "off")
    model = Sequential([layers.Input((7,)), layers.Dense(3)])
    model.compile("sgd", "mse")
    x, y = np.zeros((64, 7), np.float32), np.zeros((64, 3), np.float32)
    model.fit(x, y, verbose=0)
    compiled = len(calls)
    model.fit(x, y, verbose=0)
    assert compiled and len(calls) == compiled
