"""What this machine can do at most, measured once and kept.

A busy machine shows less than it can, so each measurement is a best of short bursts, and what
is kept is the best of all measurements so far.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from slipstream.core import config, engine
from slipstream.core.cost import LEVELS
from slipstream.core.files import atomic
from slipstream.kernels import machine, native


@dataclass(frozen=True)
class Ceilings:
    """The most that one device can do.

    Attributes:
        flops: floating-point operations a second by dtype; a multiply-add counts as two.
        bandwidth: bytes a second, read and written, within data as large as each of `LEVELS`.
        dispatch: seconds that starting a compiled program takes at the least.
        operation: seconds that an operation inside a program takes at the least.
        of: device, processor, cores, jax and kernels that this holds for.
        method: how each was measured.
        first, last: when it was measured first and last; empty for a rough guess.
        times: how often.
    """

    flops: dict[str, float]
    bandwidth: tuple[float, ...]
    dispatch: float
    operation: float
    of: dict[str, Any] = field(default_factory=dict)
    method: dict[str, str] = field(default_factory=dict)
    first: str = ""
    last: str = ""
    times: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {**asdict(self), "bandwidth": list(self.bandwidth), "levels": list(LEVELS)}


# What names the bound of a run where nothing was measured; shares are not told from it.
ROUGH = Ceilings({"float32": 6e10, "bfloat16": 6e10}, (2e11, 1e11, 8e10, 3e10, 1e10), 15e-6, 1e-6)

_kept: dict[str, Ceilings] = {}  # by key, for this process
_measured_here: set[str] = set()
_ENOUGH = 5  # measurements, for a machine may be busy at times


def kept() -> Ceilings | None:
    """What was measured on this machine before, or None."""
    key = machine.key()
    if key not in _kept:
        found = _read(key)
        if found is None:
            return None
        _kept[key] = found
    return _kept[key]


def known() -> Ceilings:
    """The best of some measurements, of which a process makes one at most, and now if need be."""
    found = kept()
    if found is not None and (found.times >= _ENOUGH or machine.key() in _measured_here):
        return found
    return measure()


def measure() -> Ceilings:
    """Measure this machine for about a second, and keep the best of this and earlier times."""
    _measured_here.add(machine.key())
    found, before = _measure(), kept()
    if before is not None:
        found = best(before, found)
    _kept[machine.key()] = found
    if engine.cache_enabled():
        try:
            _path(machine.key()).parent.mkdir(parents=True, exist_ok=True)
            with atomic(_path(machine.key())) as temporary:
                temporary.write_text(json.dumps(found.to_dict(), indent=1), encoding="utf-8")
        except OSError:
            pass  # a full or read-only disk: nothing is kept
    return found


def best(before: Ceilings, now: Ceilings) -> Ceilings:
    """The higher ceilings of two measurements."""
    names = [*before.flops, *(name for name in now.flops if name not in before.flops)]
    return replace(
        now,
        flops={n: max(before.flops.get(n, 0.0), now.flops.get(n, 0.0)) for n in names},
        bandwidth=tuple(map(max, before.bandwidth, now.bandwidth)),
        dispatch=min(before.dispatch, now.dispatch),
        operation=min(before.operation, now.operation),
        first=before.first,
        times=before.times + now.times,
    )


# ---- measuring -----------------------------------------------------------------------------------


def _measure() -> Ceilings:
    compiled = jax.default_backend() == "cpu" and native.library() is not None
    method = {
        "bfloat16": "best of matrix products",
        "dispatch": "median of calls of a program that adds 1 to a donated array",
        "operation": "best of a loop of small matrix products inside one program",
    }
    if compiled:
        method["float32"] = "multiply-adds in registers, on all threads, best of bursts"
        method["bandwidth"] = "y = a y + x on all threads, best of bursts"
        flops, bandwidth = _native()
    else:
        method["float32"] = "best of matrix products"
        method["bandwidth"] = "y = a y + 1 in a compiled loop, best of bursts, and of larger data"
        flops, bandwidth = _products("float32"), _streams()
    now = datetime.now().isoformat(timespec="seconds")
    return Ceilings(
        {"float32": flops, "bfloat16": _products("bfloat16")},
        bandwidth,
        *_latencies(),
        machine.about(),
        method,
        now,
        now,
        1,
    )


def _native() -> tuple[float, tuple[float, ...]]:
    """Peak and bandwidths by the compiled kernels, in turns: the machine may be busy at times."""

    def peak(start: Any) -> Any:
        return native.call("peak", jax.ShapeDtypeStruct((2,), "float32"), start, microseconds=20000)

    def stream(sizes: Any) -> Any:
        result = jax.ShapeDtypeStruct(sizes.shape, "float32")
        return native.call("stream", result, sizes, microseconds=10000)

    peak, stream = jax.jit(peak), jax.jit(stream)
    start, near, far = (
        np.ones(1, "float32"),
        np.array(LEVELS[:-1], "int32"),
        np.array(LEVELS[-1:], "int32"),
    )
    flops, bandwidth = 0.0, np.zeros(len(LEVELS))
    for _ in range(2):
        for _ in range(2):
            flops = max(flops, float(peak(start)[0]))
            bandwidth[:-1] = np.maximum(bandwidth[:-1], stream(near))
        bandwidth[-1] = max(bandwidth[-1], float(stream(far)[0]))
    return flops, tuple(map(float, bandwidth))


def _streams() -> tuple[float, ...]:
    """Bandwidths by compiled loops. Of small data, starting a pass may take longer than the pass,
    and memory that serves larger ones is there for them too."""
    measured = list(map(_stream, LEVELS))
    return tuple(max(measured[place:]) for place in range(len(measured)))


def _products(dtype: str) -> float:
    """Operations a second of the best of some matrix products."""
    sizes = (512, 1024) if jax.default_backend() == "cpu" else (1024, 4096, 8192)
    product = jax.jit(lambda a: a @ a)
    found = 0.0
    for size in sizes:
        # No constants: processors that slow down as they get warm are quicker with those.
        matrix = jax.random.normal(jax.random.key(0), (size, size), dtype)
        found = max(found, 2.0 * size**3 / least(partial(product, matrix), 0.02))
    return found


def _stream(size: int) -> float:
    """Bytes a second of passes over `size` bytes inside one program."""
    traffic = (16 << 20) if jax.default_backend() == "cpu" else (4 << 30)
    passes = min(max(traffic // size, 1), 1024)

    def run(y: Any) -> Any:
        return jax.lax.fori_loop(0, passes, lambda _, y: y * 0.5 + 1.0, y)

    program = jax.jit(run, donate_argnums=0)  # so that no memory is new
    held = [program(jnp.zeros(size // 4, "float32"))]

    def step() -> Any:
        held[0] = program(held[0])
        return held[0]

    return 2.0 * passes * size / least(step, 0.03)


def _latencies() -> tuple[float, float]:
    """Seconds to start a program, and to run an operation inside one."""
    started = jax.jit(lambda x: x + 1, donate_argnums=0)
    x = started(jnp.zeros((), "float32"))
    spent = []
    for _ in range(200):
        begin = time.perf_counter()
        x = jax.block_until_ready(started(x))
        spent.append(time.perf_counter() - begin)
    rounds = 2000

    def loop(a: Any) -> Any:
        return jax.lax.fori_loop(0, rounds, lambda _, b: b @ a, a)

    program, matrix = jax.jit(loop), jnp.full((8, 8), 0.1, "float32")
    return statistics.median(spent), least(lambda: program(matrix), 0.02) / rounds


def least(run: Callable[[], Any], seconds: float) -> float:
    """The shortest time of a call; it is repeated for so many seconds, at least thrice."""
    jax.block_until_ready(run())
    until, found, times = time.perf_counter() + seconds, math.inf, 0
    while times < 3 or time.perf_counter() < until:
        begin = time.perf_counter()
        jax.block_until_ready(run())
        found = min(found, time.perf_counter() - begin)
        times += 1
    return found


# ---- keeping -------------------------------------------------------------------------------------


def _path(key: str) -> Path:
    return config.cache_dir() / "ceilings" / f"{key}.json"


def _read(key: str) -> Ceilings | None:
    """What the file says, if it says it all."""
    if not engine.cache_enabled():
        return None
    try:
        found = json.loads(_path(key).read_text(encoding="utf-8"))
        if found.pop("levels") != list(LEVELS):
            return None
        bandwidth = tuple(map(float, found.pop("bandwidth")))
        ceilings = Ceilings(bandwidth=bandwidth, **found)
        numbers = [*ceilings.flops.values(), *bandwidth, ceilings.dispatch, ceilings.operation]
        sound = all(isinstance(n, float) and 0 < n < math.inf for n in numbers)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return ceilings if sound and len(bandwidth) == len(LEVELS) else None
