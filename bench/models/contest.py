"""All systems on one case, in processes that compute only in their turn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.models.cases import PREDICT, case_of
from bench.models.results import OWN, TRAIN, Found, Row

# Several processes live on one GPU, so that none may take all its memory in advance.
SHARED = {"TF_CPP_MIN_LOG_LEVEL": "3", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
AGREE = 0.02  # relative difference of losses after the first epoch, and of outputs
# Seconds of training before it is timed; whatever is compiled late is by then.
WARM = float(os.environ.get("BENCH_WARM", "1.5"))
COMPARED = 32  # rows whose outputs are compared


class Setting(NamedTuple):
    """A system in one of its settings: name, the worker's word for it, environment."""

    name: str
    kind: str
    environment: dict[str, str]


OURS = Setting(OWN, "slipstream", {})


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


class Contest:
    """All systems on one case.

    Args:
        name: of the case; `case_of` says how it is varied.
        settings: the systems, Slipstream first.
    """

    def __init__(self, name: str, settings: list[Setting]) -> None:
        self.name, self.case = name, case_of(name)
        self._settings = settings
        self._first: dict[str, dict[str, Any]] = {}
        self._workers: list[Worker] = []
        self._told: dict[str, list[float]] = {}
        self._folder = tempfile.TemporaryDirectory()

    def prepare(self, predicting: tuple[int, ...] = ()) -> None:
        """Start the processes and let each train the epoch that compiles.

        Args:
            predicting: rows to predict too, and outputs to compare: nothing is left to compile.
        """
        weights = str(Path(self._folder.name) / "weights.npz")
        for setting in self._settings:
            self._workers.append(Worker(setting, self.name, weights))
            if setting is OURS:
                self._workers[0].answer()  # it writes the weights that all others start from
        self._workers[1:] = list(answering(self._workers[1:], Worker.answer))

        def begin(worker: Worker) -> None:
            self._first[worker.setting.name] = worker.ask("epoch")

        self._workers = list(answering(self._workers, begin))
        for rows in predicting:
            self._workers = list(
                answering(self._workers, lambda w, n=rows: w.ask(f"predict {n} 1"))
            )
        if predicting:
            self._workers = list(answering(self._workers, self._ask_outputs))

    def measure(self, rounds: int, predicting: tuple[int, ...] = PREDICT) -> Found:
        """Training and predictions of so many rows; the processes end."""
        tasks = {TRAIN: train(self._workers, self._first, rounds, self.case.steps)}
        for rows in predicting:
            tasks[f"predict {rows}"] = predict(self._workers, rounds, rows)
        for name, agrees in self._agree().items():
            for found in tasks.values():
                row = found[name]
                found[name] = row._replace(agrees=row.agrees and agrees)
        cost = self._workers[0].ask("cost")
        for worker in self._workers:
            worker.close()
        self._folder.cleanup()
        flops, limit = cost["flops"], cost["limit"]
        return Found(self.name, self.case.batch, self.case.steps, flops, limit, tasks)

    def _agree(self) -> dict[str, bool]:
        """Whether each system's outputs from the same weights are Slipstream's."""
        for worker in self._workers:
            if worker.setting.name not in self._told:
                self._ask_outputs(worker)
        return {name: close(outputs, self._told[OWN]) for name, outputs in self._told.items()}

    def _ask_outputs(self, worker: Worker) -> None:
        self._told[worker.setting.name] = worker.ask(f"outputs {COMPARED}")["outputs"]


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
        warm = 0.0
        while warm < WARM:
            warm += worker.ask("epoch")["seconds"]
    times: dict[str, list[float]] = {worker.setting.name: [] for worker in workers}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for worker in workers:
            answer = worker.ask("epoch")
            times[worker.setting.name].append(answer["seconds"] / steps)
            peaks[worker.setting.name] = answer["peak"]
    own = [first[OWN]["loss"]]
    return {
        name: Row(values, first[name]["seconds"], peaks[name], close([first[name]["loss"]], own))
        for name, values in times.items()
    }


def predict(workers: list[Worker], rounds: int, rows: int) -> dict[str, Row]:
    """Time a call."""
    times: dict[str, list[float]] = {worker.setting.name: [] for worker in workers}
    for worker in workers:
        worker.ask(f"predict {rows} 2")
    for _ in range(rounds):
        for worker in workers:
            seconds = worker.ask(f"predict {rows} 1")["seconds"]
            calls = min(round(0.15 / seconds), 200)
            if calls > 1:
                seconds = worker.ask(f"predict {rows} {calls}")["seconds"]
            times[worker.setting.name].append(seconds)
    return {name: Row(values, 0.0, 0.0, True) for name, values in times.items()}


def close(one: list[float], other: list[float]) -> bool:
    """Whether two results agree, `other` being Slipstream's; a NaN agrees with nothing."""
    if len(one) != len(other):
        return False
    largest = max(max(map(abs, other), default=0.0), 1e-6)
    return all(abs(a - b) <= AGREE * largest for a, b in zip(one, other))
