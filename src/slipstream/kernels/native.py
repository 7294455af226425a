"""The compiled CPU kernels: which library fits this machine, and how XLA gets to know it.

``SLIPSTREAM_KERNELS`` chooses: ``native`` (the default) takes the fastest library the processor
can run, ``avx512``, ``avx2`` or ``neon`` that one, ``reference`` none.
"""

from __future__ import annotations

import ctypes
import os
import platform
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Any

import jax
import numpy as np

LIBRARIES = Path(__file__).parent / "libraries"
# From the fastest on: the instructions a library needs, as Linux names them.
NEEDS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "fma", "bmi2", "avx2"},
    "avx2": {"avx2", "fma", "bmi1", "bmi2", "f16c", "movbe"},
    "neon": set[str](),
}
_MACHINES = {"avx512": "x86_64", "avx2": "x86_64", "neon": "arm64"}
_forced: ContextVar[str | None] = ContextVar("kernels", default=None)
_everywhere: list[str] = []


class _Target(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("handler", ctypes.c_void_p)]


def choice() -> str:
    """What was asked for: ``"native"``, ``"reference"``, or the name of a native library."""
    chosen = _forced.get() or "".join(_everywhere[-1:])
    return chosen or os.environ.get("SLIPSTREAM_KERNELS") or "native"


@contextmanager
def kernels(which: str) -> Iterator[None]:
    """Programs compiled inside use these forms: ``"native"`` or ``"reference"``.

    What was compiled before is compiled anew when it is called again.
    """
    _check(which)
    changes = which != choice()
    token = _forced.set(which)
    if changes:
        jax.clear_caches()
    try:
        yield
    finally:
        _forced.reset(token)
        if changes:
            jax.clear_caches()


@contextmanager
def fresh_programs(which: str) -> Iterator[None]:
    """Programs of functions that are new use these forms inside; nothing compiled is forgotten."""
    _check(which)
    token = _forced.set(which)
    try:
        yield
    finally:
        _forced.reset(token)


def set_kernels(which: str) -> None:
    """Let programs use these forms from now on: ``"native"`` or ``"reference"``."""
    _check(which)
    _everywhere[:] = [which]
    jax.clear_caches()


def _check(which: str) -> None:
    if which not in ("native", "reference"):
        raise ValueError(f"kernels must be 'native' or 'reference'; got {which!r}.")


def library() -> str | None:
    """Name of the library in use, loaded by now; None where the reference forms run."""
    found = functions()
    return None if found is None else _stem(found._name)


@cache
def _stem(path: str) -> str:
    return Path(path).stem


def functions() -> ctypes.CDLL | None:
    """The library in use; None where the reference forms run."""
    return None if choice() == "reference" else _load()


def runnable() -> list[str]:
    """Names of the libraries that this processor can run and that were built, fastest first."""
    machine = {"amd64": "x86_64", "aarch64": "arm64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    features = _features()
    return [
        name
        for name, needs in NEEDS.items()
        if _MACHINES[name] == machine and needs <= features and (LIBRARIES / f"{name}.so").exists()
    ]


def describe() -> str:
    """What runs on this machine's CPU, and what could be done for more speed."""
    if choice() == "reference":
        return "reference forms, as SLIPSTREAM_KERNELS or set_kernels asks"
    found = library() if runnable() else None
    if found is not None:
        return f"native, {found}"
    built = sorted(path.stem for path in LIBRARIES.glob("*.so"))
    if built:
        return f"reference forms: this processor cannot run {' or '.join(built)}"
    return (
        "reference forms: the native ones were not built. Install a C++ compiler (g++ or clang++) "
        "and install slipstream again; convolutions, recurrent layers and normalization gain most"
    )


@cache
def _load() -> ctypes.CDLL | None:
    """A process has one library: XLA knows an operation by one address."""
    names, wanted = runnable(), os.environ.get("SLIPSTREAM_KERNELS") or "native"
    if wanted not in ("native", "reference"):
        if wanted not in names:
            raise ValueError(
                f"SLIPSTREAM_KERNELS={wanted} cannot run here; this machine has "
                f"{', '.join(['reference', *names])}."
            )
        names = [wanted]
    if not names:
        warnings.warn(
            "Slipstream's CPU kernels are not installed or do not fit this processor; slower "
            "forms run instead. `slipstream doctor` says what is missing.",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    loaded = ctypes.CDLL(str(LIBRARIES / f"{names[0]}.so"))
    loaded.slipstream_targets.restype = ctypes.POINTER(_Target)
    count = ctypes.c_int64()
    targets = loaded.slipstream_targets(ctypes.byref(count))
    for target in targets[: count.value]:
        capsule = jax.ffi.pycapsule(ctypes.cast(target.handler, ctypes.CFUNCTYPE(None)))
        jax.ffi.register_ffi_target(target.name.decode(), capsule, platform="cpu")
    return loaded


def call(
    name: str,
    results: Any,
    *operands: Any,
    aliases: dict[int, int] | None = None,
    **attributes: Any,
) -> Any:
    """An operation of the library inside a program: numbers become 64-bit, lists arrays of them.

    Args:
        aliases: operands that a result may overwrite, ``{operand: result}``.
    """

    def converted(value: Any) -> Any:
        if isinstance(value, bool | int):
            return np.int64(value)
        if isinstance(value, float):
            return np.float32(value)
        if isinstance(value, str) or not isinstance(value, Sequence):
            return value
        return np.asarray(value, np.int64)

    attributes = {key: converted(value) for key, value in attributes.items()}
    operation = jax.ffi.ffi_call(f"slipstream_{name}", results, input_output_aliases=aliases)
    return operation(*operands, **attributes)


def threads() -> int:
    """How many threads programs on the CPU have."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _features() -> set[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return set(found.partition(":")[2].split())
