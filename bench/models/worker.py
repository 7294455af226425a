"""A process with one system and one case: ``python -m bench.models.worker SYSTEM CASE WEIGHTS``.

Each line it is given is a request, each line it gives an answer: ``epoch`` trains for one epoch,
``predict N CALLS`` predicts N rows so many times, ``outputs N`` tells what a new network with the
weights of the file makes of N rows, ``cost`` tells FLOPs and limit of a step (Slipstream only).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

import numpy as np

from bench.models.cases import Case, case_of

TOLD = 64  # outputs in an answer, spread over all of them


def main() -> None:
    """Answer requests until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    kind, name, weights = sys.argv[1:]
    case = case_of(name)
    if hasattr(os, "sched_setaffinity"):
        cores = int(os.environ.get("BENCH_THREADS", "2"))
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
    system = start(kind, name, case, weights)
    answer: dict[str, Any] = {"ready": True}
    while True:
        answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        request = sys.stdin.readline().split()
        if not request:
            return
        if request[0] == "epoch":
            began = time.perf_counter()
            loss = system.epoch()
            answer = {"seconds": time.perf_counter() - began, "loss": loss}
        elif request[0] == "cost":
            answer = system.cost()
        elif request[0] == "outputs":
            fresh = start(kind, name, case, weights)
            outputs = fresh.predict(case.data(int(request[1]))[0]).ravel()
            places = np.linspace(0, outputs.size - 1, min(TOLD, outputs.size)).astype(int)
            answer = {"outputs": outputs[places].tolist()}
        else:
            rows, calls = map(int, request[1:])
            x, _ = case.data(rows)
            system.predict(x)
            began = time.perf_counter()
            for _ in range(calls):
                system.predict(x)
            answer = {"seconds": (time.perf_counter() - began) / calls}


def start(kind: str, name: str, case: Case, weights: str) -> Any:
    """The system of this kind, with the weights of the file."""
    if kind == "torch":
        from bench.models.torch_nets import System as Torch

        return Torch(name, case, weights)
    if kind == "flax":
        from bench.models.flax_nets import System as Flax

        return Flax(name, case, weights)
    from importlib import import_module

    from bench.models.keras_like import System as KerasLike

    return KerasLike(import_module(kind), case, weights)


if __name__ == "__main__":
    main()
