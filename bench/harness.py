"""Running systems in turn, and what comes out: medians and ratios."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median
from typing import Any, NamedTuple


class System(NamedTuple):
    """A system in one of its settings.

    Attributes:
        name: as shown.
        module: its module in `bench.systems`, without the underscore.
        environment: variables that make the setting.
    """

    name: str
    module: str
    environment: dict[str, str]


SLIPSTREAM = System("Slipstream", "slipstream", {})
LIMIT = System("hand-written JAX", "jax", {})
PEERS = [
    System("Keras-jax", "keras", {"KERAS_BACKEND": "jax"}),
    System("Keras-jax, 32 steps a call", "keras", {"KERAS_BACKEND": "jax", "BENCH_STEPS": "32"}),
    System("Keras-TensorFlow", "keras", {"KERAS_BACKEND": "tensorflow"}),
    System("PyTorch, 1 thread", "torch", {"BENCH_THREADS": "1", "OMP_NUM_THREADS": "1"}),
    System("PyTorch, 2 threads", "torch", {"BENCH_THREADS": "2", "OMP_NUM_THREADS": "2"}),
    System("scikit-learn", "sklearn", {}),
]


class Worker:
    """A living process of one system; idle unless asked."""

    def __init__(self, system: System) -> None:
        self.system = system
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.worker", system.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **system.environment},
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.system.name} died on {request}.")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Spread(NamedTuple):
    """Median, least and greatest of several measurements."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """The spread of these values."""
        return cls(median(values), min(values), max(values))


def rounds_of_fit(
    systems: list[System], workload: str, rounds: int
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Seconds of the first fit of each system, and of `rounds` warm ones taken in turn."""
    workers = [Worker(system) for system in systems]
    first, warm = {}, {system.name: [] for system in systems}
    for worker in workers:  # all have imported before anything is timed
        worker.ask(do="fit", workload=workload)
    for worker in workers:
        first[worker.system.name] = worker.ask(do="run")["seconds"]
    for _ in range(rounds):
        for worker in workers:
            warm[worker.system.name].append(worker.ask(do="run")["seconds"])
    for worker in workers:
        worker.close()
    return first, warm


def rounds_of_predict(
    systems: list[System], names: list[str], rounds: int, calls: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds a call for each name and system, taken in turn."""
    workers = [Worker(system) for system in systems]
    found = {name: {system.name: [] for system in systems} for name in names}
    for name in names:
        for _ in range(rounds):
            for worker in workers:
                slow = "Tensor" in worker.system.name
                answer = worker.ask(do="predict", name=name, calls=5 if slow else calls)
                found[name][worker.system.name].append(answer["seconds"])
    for worker in workers:
        worker.close()
    return found


class Process(NamedTuple):
    """What the operating system says of a finished process."""

    wall: float
    cpu: float
    peak: float


def process(arguments: list[str], environment: dict[str, str]) -> Process:
    """Run Python with these arguments, from start to exit."""
    begin = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise RuntimeError(f"python {' '.join(arguments)} ended with {child.returncode}.")
    return Process(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)
