"""Which of an operation's two forms is the quicker one here: raced once a shape, and kept.

Rules say which form runs, and they were made on some machines. Where the winner depends on the
shape, a program for a long run races the forms while it is lowered, and the answer stays in the
cache directory: from then on all programs on this machine go by it. Without that directory
(``SLIPSTREAM_CACHE=off``), or with ``SLIPSTREAM_RACES=off``, the rules decide alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import jax
import numpy as np

from slipstream.core import config, engine
from slipstream.core.files import atomic
from slipstream.kernels import machine

RACE_SECONDS = 30.0  # of a run that is worth races: one takes about a tenth of a second
MARGIN = 0.9  # of the time of the rule's form; by less it is not beaten
_ROUNDS, _LEAST = 9, 1e-3  # measurements, and seconds of one
_MOST = 2**24  # numbers of operands; larger ones would take memory that the run needs
_held: ContextVar[bool] = ContextVar("races", default=False)
_known: dict[Path, dict[str, bool]] = {}


@contextmanager
def held(seconds: float) -> Iterator[None]:
    """Programs lowered inside may race forms, if their run is to take so long."""
    token = _held.set(seconds >= RACE_SECONDS)
    try:
        yield
    finally:
        _held.reset(token)


def compiled_wins(
    name: str,
    arrays: Any,
    parameters: dict[str, Any],
    reference: Callable[..., Any],
    compiled: Callable[..., Any],
    rule: bool,
) -> bool:
    """Whether the compiled form is to run: as raced on this machine, or as the rule says.

    Args:
        name: the operation's.
        arrays: shapes and dtypes of its operands.
        parameters: its other arguments.
        reference, compiled: its forms.
        rule: what holds until it is known better.
    """
    if not engine.cache_enabled() or os.environ.get("SLIPSTREAM_RACES") == "off":
        return rule
    if sum(prod(array.shape) for array in arrays) > _MOST:
        return rule
    shapes = [f"{array.dtype}{list(array.shape)}" for array in arrays]
    key = " ".join([name, *shapes, *(f"{k}={v}" for k, v in sorted(parameters.items()))])
    path = config.cache_dir() / "forms" / f"{machine.key()}.json"
    if path not in _known:
        _known[path] = _read(path)
    if key not in _known[path]:
        if not _held.get():
            return rule
        forms = [partial(form, **parameters) for form in (reference, compiled)]
        seconds = _race(forms, arrays)
        of_rule, of_other = seconds[rule], seconds[not rule]
        won = (not rule) if of_other < MARGIN * of_rule else rule
        _known[path] = _kept(path, {key: won})
    return _known[path][key]


def _race(forms: Sequence[Callable[..., Any]], arrays: Any) -> list[float]:
    """Seconds of each form, in turn, medians.

    In a thread of its own: this one is about to lower another program.
    """

    def run() -> list[float]:
        rng = np.random.default_rng(0)
        operands = [
            jax.device_put(rng.standard_normal(array.shape, np.float32).astype(array.dtype))
            for array in arrays
        ]
        programs = [jax.jit(form) for form in forms]
        for program in programs:
            _timed(program, operands, 3)  # compiles and warms up
        times = [max(1, int(_LEAST / _timed(program, operands, 3))) for program in programs]
        rounds = [
            [_timed(program, operands, count) for program, count in zip(programs, times)]
            for _ in range(_ROUNDS)
        ]
        return [median(column) for column in zip(*rounds)]

    with ThreadPoolExecutor(1) as apart:
        return apart.submit(run).result()


def _timed(program: Callable[..., Any], operands: Any, times: int) -> float:
    """Seconds of a call."""
    begin = time.perf_counter()
    for _ in range(times):
        jax.block_until_ready(program(*operands))
    return (time.perf_counter() - begin) / times


def _read(path: Path) -> dict[str, bool]:
    """The answers in a file, of which a damaged one has none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: won for key, won in found.items() if isinstance(won, bool)}
    except (OSError, ValueError, AttributeError):
        return {}


def _kept(path: Path, answers: dict[str, bool]) -> dict[str, bool]:
    """All answers known by now; what another process was first to find stays as it is."""
    answers = {**_known.get(path, {}), **answers, **_read(path)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic(path) as temporary:
            temporary.write_text(json.dumps(answers, indent=0, sort_keys=True), encoding="utf-8")
    except OSError:
        pass  # a full or read-only disk: this process knows them
    return answers
