"""Measuring all cases on all systems in turn, and the table of what came out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from bench.models.cases import CASES, PREDICT, case_of


class Setting(NamedTuple):
    """A system in one of its settings: name, the worker's word for it, environment."""

    name: str
    kind: str
    environment: dict[str, str]


OURS = Setting("Slipstream", "slipstream", {})
SETTINGS = [
    OURS,
    Setting("Keras-jax", "keras", {"KERAS_BACKEND": "jax"}),
    Setting("Keras-jax, 8 steps a call", "keras", {"KERAS_BACKEND": "jax", "BENCH_STEPS": "8"}),
    Setting("Keras-TensorFlow", "keras", {"KERAS_BACKEND": "tensorflow"}),
    Setting("Keras-torch", "keras", {"KERAS_BACKEND": "torch"}),
    Setting("PyTorch", "torch", {}),
    Setting("PyTorch, compiled", "torch", {"BENCH_COMPILE": "1"}),
]
# Several processes live on one GPU, so that none may take all its memory in advance.
SHARED = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
AGREE = 0.02  # relative difference of losses after the first epoch, and of outputs


class Worker:
    """A living process; it computes only while it is asked."""

    def __init__(self, setting: Setting, case: str, weights: str) -> None:
        self.setting = setting
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open while the process lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.models.worker", setting.kind, case, weights],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **SHARED, **setting.environment},
            text=True,
        )

    def answer(self) -> dict[str, Any]:
        """The next line of the process."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self.setting.name} died:\n{self._errors.read()[-2000:]}")
        return json.loads(line)

    def ask(self, request: str) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


class Row(NamedTuple):
    """What one system did on one task.

    Attributes:
        seconds: of each measurement, a step or a call.
        first: seconds of the first epoch, or 0.
        peak: bytes of the process.
        agrees: whether its result is Slipstream's.
    """

    seconds: list[float]
    first: float
    peak: float
    agrees: bool


class Contest:
    """All systems on one case.

    Args:
        name: of the case.
        settings: the systems, Slipstream first.
    """

    def __init__(self, name: str, settings: list[Setting]) -> None:
        self.name, self.case = name, case_of(name)
        self._settings = settings
        self._first: dict[str, dict[str, Any]] = {}

    def prepare(self) -> None:
        """Start the processes and let each train the epoch that compiles."""
        self._workers: list[Worker] = []
        with tempfile.TemporaryDirectory() as folder:
            weights = str(Path(folder) / "weights.npz")
            for setting in self._settings:
                self._workers.append(Worker(setting, self.name, weights))
                if setting is OURS:
                    self._workers[0].answer()  # it writes the weights that all others start from
            self._workers[1:] = list(answering(self._workers[1:], Worker.answer))

        def begin(worker: Worker) -> None:
            self._first[worker.setting.name] = worker.ask("epoch")

        self._workers = list(answering(self._workers, begin))

    def measure(self, rounds: int) -> dict[str, dict[str, Row]]:
        """Rows by task (``train``, ``predict 1`` …) and system; the processes end."""
        found = {"train": train(self._workers, self._first, rounds, self.case.steps)}
        for rows in PREDICT:
            found[f"predict {rows}"] = predict(self._workers, rounds, rows)
        for worker in self._workers:
            worker.close()
        return found


def answering(workers: list[Worker], ask: Callable[[Worker], Any]) -> Iterator[Worker]:
    """The workers that live on after being asked; it is said which ones do not."""
    for worker in workers:
        try:
            ask(worker)
        except (RuntimeError, BrokenPipeError) as error:
            print(error, file=sys.stderr)
        else:
            yield worker


def train(
    workers: list[Worker], first: dict[str, dict[str, Any]], rounds: int, steps: int
) -> dict[str, Row]:
    """Time a step; `first` is what the systems said of their first epoch."""
    for worker in workers:
        worker.ask("epoch")
    times: dict[str, list[float]] = {worker.setting.name: [] for worker in workers}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for worker in workers:
            answer = worker.ask("epoch")
            times[worker.setting.name].append(answer["seconds"] / steps)
            peaks[worker.setting.name] = answer["peak"]
    own = first[OURS.name]["loss"]
    return {
        name: Row(values, first[name]["seconds"], peaks[name], close(first[name]["loss"], own))
        for name, values in times.items()
    }


def predict(workers: list[Worker], rounds: int, rows: int) -> dict[str, Row]:
    """Time a call; outputs are compared before anything else is trained."""
    times: dict[str, list[float]] = {worker.setting.name: [] for worker in workers}
    for worker in workers:
        worker.ask(f"predict {rows} 2")
    for _ in range(rounds):
        for worker in workers:
            calls = max(1, round(0.15 / worker.ask(f"predict {rows} 1")["seconds"]))
            answer = worker.ask(f"predict {rows} {min(calls, 200)}")
            times[worker.setting.name].append(answer["seconds"])
    return {name: Row(values, 0.0, 0.0, True) for name, values in times.items()}


def close(one: float, other: float) -> bool:
    """Whether two results agree."""
    return abs(one - other) <= AGREE * max(abs(other), 1e-6)


def models(
    rounds: int,
    names: list[str] | None = None,
    only: list[str] | None = None,
    together: bool = False,
) -> str:
    """The section of the results on whole models, as Markdown.

    Args:
        rounds: measurements of each system.
        names: cases; all if not given.
        only: systems beside Slipstream; all if not given.
        together: whether all cases are prepared at once, which is quicker where there are cores
            for it; seconds of the first epoch say nothing then.
    """
    settings = [each for each in SETTINGS if not only or each.name in only or each is OURS]
    contests = [Contest(name, settings) for name in names or list(CASES)]
    if together:
        with ThreadPoolExecutor(len(contests)) as pool:
            list(pool.map(Contest.prepare, contests))
    lines: list[str] = []
    for contest in contests:
        if not together:
            contest.prepare()
        found = contest.measure(rounds)
        lines += [f"### {contest.name}, batch {contest.case.batch}", ""]
        lines += [
            "| system | ms a step | first epoch s | peak MiB | "
            + " | ".join(f"predict {rows}, ms" for rows in PREDICT)
            + " |",
            "|---|---|---|---|" + "---|" * len(PREDICT),
        ]
        for setting in settings:
            if setting.name in found["train"]:
                lines.append(line(setting.name, found))
        lines += ["", verdict(found), ""]
        print("\n".join(lines[-len(settings) - 6 :]), flush=True)
    return "\n".join(lines)


def line(system: str, found: dict[str, dict[str, Row]]) -> str:
    """One system's line; a ratio above 1 says that Slipstream is faster."""
    row = found["train"][system]
    cells = [system, cell(found["train"], system), f"{row.first:.2f}", f"{row.peak / 2**20:.0f}"]
    if not row.agrees:
        cells[1] = "void: the losses differ"
    cells += [cell(found[f"predict {rows}"], system) for rows in PREDICT]
    return "| " + " | ".join(cells) + " |"


def cell(rows: dict[str, Row], system: str) -> str:
    """``12.3 (11.9–14.0), 1.40×``."""
    values = [1e3 * value for value in rows[system].seconds]
    shown = f"{median(values):.4g} ({min(values):.4g}–{max(values):.4g})"
    if system == OURS.name:
        return shown
    return f"{shown}, {median(values) / 1e3 / median(rows[OURS.name].seconds):.2f}×"


def verdict(found: dict[str, dict[str, Row]]) -> str:
    """How Slipstream stands to the best peer in each task."""
    parts = []
    for task, rows in found.items():
        peers = {
            name: median(row.seconds)
            for name, row in rows.items()
            if name != OURS.name and row.agrees
        }
        if peers:
            best = min(peers, key=lambda name: peers[name])
            parts.append(f"{task}: {peers[best] / median(rows[OURS.name].seconds):.2f}× ({best})")
    return "Against the best peer: " + "; ".join(parts) + "."
