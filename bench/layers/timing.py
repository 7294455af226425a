"""Seconds a call of several functions, taken in turn within one process."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import cycle, permutations
from statistics import median
from typing import Any

LEAST = 0.02  # seconds that one measurement lasts at least
REST = 0.005  # seconds in which the threads of the function before stop spinning


def in_turn(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds a call of each function, `rounds` measurements of each, after warming up.

    Each round has another order, as a function may be hindered by the one before it.
    """
    repeats = {name: enough(function) for name, function in functions.items()}
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    orders = cycle(permutations(functions))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in next(orders):
                function = functions[name]
                time.sleep(REST)
                if repeats[name] > 1:
                    function()
                seconds[name].append(timed(function, repeats[name]) / repeats[name])
    finally:
        gc.enable()
    return seconds


def fastest(functions: list[Callable[[], Any]]) -> int:
    """Place of the fastest of some ways to compute the same."""
    if len(functions) == 1:
        return 0
    found = in_turn({str(i): function for i, function in enumerate(functions)}, 3)
    return min(range(len(functions)), key=lambda i: median(found[str(i)]))


def enough(function: Callable[[], Any]) -> int:
    """How often to call a function for one measurement; the calls also warm it up."""
    function()
    repeats = 1
    while (seconds := timed(function, repeats)) < LEAST:
        repeats = max(repeats + 1, min(10 * repeats, int(1.2 * LEAST / seconds * repeats)))
    return repeats


def timed(function: Callable[[], Any], repeats: int) -> float:
    begin = time.perf_counter()
    for _ in range(repeats):
        function()
    return time.perf_counter() - begin
