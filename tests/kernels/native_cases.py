"""How a compiled form is compared with its reference, for the tests of every native kernel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.kernels import native

needs_native = pytest.mark.skipif(
    not native.runnable(), reason="the native kernels were not built or do not fit this processor"
)
TOLERANCES = {"float32": 2e-5, "bfloat16": 2e-2}


def agree(
    function: Callable[..., Any],
    *arrays: Any,
    tolerance: float | None = None,
    gradients: bool = True,
    derived: bool = False,
    least: float = 1e-3,
) -> None:
    """Value and gradients of a function of arrays, in its native and in its reference form.

    Args:
        gradients: whether there is a native form of them; else the values alone are compared.
        derived: whether the function may be one that has no native form, a second derivative, say.
        least: differences are told in an array's largest number, or in this if it is smaller.
    """
    names = {str(a.dtype) for a in arrays if jnp.issubdtype(a.dtype, jnp.floating)}
    tolerance = tolerance or max(TOLERANCES[name] for name in names)
    place = [i for i, a in enumerate(arrays) if jnp.issubdtype(a.dtype, jnp.floating)]

    def results(form: str) -> tuple[list[Any], bool]:
        """By one program, which is one compile; and whether kernels of ours are in it."""

        def both(*floats: Any) -> Any:
            if not gradients:
                return function(*_put(arrays, place, floats))
            outputs, back = jax.vjp(lambda *f: function(*_put(arrays, place, f)), *floats)
            seeds = jax.tree.map(lambda y: _weights(y.shape).astype(y.dtype), outputs)
            return outputs, back(seeds)

        floats = [arrays[i] for i in place]
        with native.fresh_programs(form):  # which forgets no program of the tests before
            lowered = jax.jit(both).lower(*floats)
            return jax.tree.leaves(lowered.compile()(*floats)), "slipstream_" in lowered.as_text()

    (found, ours_run), (wanted, ours_stay) = results("native"), results("reference")
    assert (ours_run or derived) and not ours_stay, "a form is compared with itself"
    for ours, theirs in zip(found, wanted, strict=True):
        assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
        ours, theirs = np.asarray(ours, "d"), np.asarray(theirs, "d")
        scale = np.abs(theirs).max(initial=least)
        np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=tolerance)


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `jax.jit`, in the reference forms; no program of the tests before is forgotten for it."""

    def run(*arrays: Any) -> Any:
        with native.fresh_programs("reference"):
            lowered = jax.jit(lambda *arrays: function(*arrays)).lower(*arrays)
            assert "slipstream_" not in lowered.as_text(), "a form is compared with itself"
            return lowered.compile()(*arrays)

    return run


def normal(*shape: int, seed: int = 0, dtype: str = "float32") -> Any:
    """Random numbers on the device."""
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape), dtype)


def passes_with(library: str, test_file: str) -> None:
    """Run a test file again in a process that uses another library."""
    environment = {**os.environ, "SLIPSTREAM_KERNELS": library, "SLIPSTREAM_OTHER": "off"}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test_file]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]


def others() -> list[str]:
    """Libraries besides the one in use; none inside of `passes_with`."""
    return [] if os.environ.get("SLIPSTREAM_OTHER") == "off" else native.runnable()[1:]


def name_of(file: str) -> str:
    """A test file's own path."""
    return str(Path(file).resolve())


def _put(arrays: Any, place: list[int], floats: Any) -> list[Any]:
    whole = list(arrays)
    for i, array in zip(place, floats):
        whole[i] = array
    return whole


def _weights(shape: tuple[int, ...]) -> Any:
    return jnp.asarray(np.random.default_rng(9).normal(size=shape), "float32")
