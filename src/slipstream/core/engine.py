"""How programs are compiled: the cache on disk, and how much the compiler should try."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import jax

import slipstream
from slipstream.core import config


def cache_enabled() -> bool:
    """Whether anything may be kept on disk: not with ``SLIPSTREAM_CACHE=off``."""
    return os.environ.get("SLIPSTREAM_CACHE") != "off"


@cache
def enable_cache() -> None:
    """Keep compiled programs on disk, unless the user chose a place or ``SLIPSTREAM_CACHE=off``.

    A second run of a script then loads in milliseconds what took the first one seconds.
    """
    chosen = jax.config.values["jax_compilation_cache_dir"]
    if not cache_enabled() or chosen:
        return
    # One directory a release: a program found cached cannot be kept in the store of programs.
    directory = config.cache_dir() / "xla" / slipstream.__version__
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a read-only home: compile each time
    jax.config.update("jax_compilation_cache_dir", str(directory))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def compile_lowered(lowered: Any) -> tuple[Any, bool]:
    """The compiled program, and whether it was compiled just now, not found in the cache.

    A program out of the cache runs, but what XLA's CPU compiler serializes of it lacks its
    functions, so it must not be kept anywhere else.
    """
    before = _cache_hits()[0]
    program = lowered.compile()
    return program, _cache_hits()[0] == before


def compile_together(lowered: Iterable[Any]) -> list[Any]:
    """The compiled programs, in order. One small program keeps the compiler on one thread."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda each: each.compile(), lowered))


def trim() -> None:
    """Give the system back what compiling has freed: often more than the program's data take.

    The C library keeps it otherwise, in pieces that no buffer fits into.
    """
    if os.name == "posix":
        library = ctypes.CDLL(None)
        if hasattr(library, "malloc_trim"):  # glibc's
            library.malloc_trim(0)


@cache
def _cache_hits() -> list[int]:
    """One number: how many programs came out of the cache since the first call."""
    hits = [0]

    def count(event: str, **_: Any) -> None:
        hits[0] += event == "/jax/compilation_cache/cache_hits"

    jax.monitoring.register_event_listener(count)
    return hits


def compiler_options(flops: float, steps: int, light: bool = False) -> dict[str, Any]:
    """Options for a program that runs `steps` steps of `flops` each, in all.

    A light compile takes half the time of a full one or less, and gives slower code: right for
    programs that run for less than the difference. The choice depends on the plan, not on
    measurements, so equal scripts use equal programs.

    On the CPU, code of small programs is up to a half slower. Programs of long steps have many
    operations, of which a light compile takes longer. On a GPU a full compile tries out products
    that are written for each shape, which a light one leaves to cuBLAS: steps take up to an eighth
    longer.

    Args:
        flops: operations of a step.
        steps: all that are planned so far.
        light: whether the program was compiled lightly before; it stays so for twice as long.
    """
    seconds, backend = forecast(flops, steps) / (1 + light), jax.default_backend()
    if backend == "cpu" and seconds < LIGHT_SECONDS and forecast(flops, 1) < LONG_STEP:
        options: dict[str, Any] = {"xla_backend_optimization_level": 1}
        if jax.__version_info__ < (0, 11, 1):  # later ones refuse it
            options["xla_cpu_use_fusion_emitters"] = False
        return options
    if backend == "gpu" and seconds < LIGHT_SECONDS_ON_GPU:
        return {"xla_gpu_enable_triton_gemm": False}
    return {}


LIGHT_SECONDS, LONG_STEP = 0.5, 1e-2  # of a run, and of a step
LIGHT_SECONDS_ON_GPU = 10.0


def forecast(flops: float, runs: int) -> float:
    """Rough seconds that `runs` steps of `flops` each take: a fixed cost, then arithmetic."""
    fixed, rate = (1e-4, 2e13) if jax.default_backend() == "gpu" else (15e-6, 60e9)
    return runs * (fixed + flops / rate)
