"""A process with one system and one case: ``python -m bench.models.worker SYSTEM CASE WEIGHTS``.

Each line it is given is a request, each line it gives an answer: ``epoch`` trains for one epoch,
``predict N CALLS`` predicts N rows so many times.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any

from bench.models.cases import case_of


def main() -> None:
    """Answer requests until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    kind, name, weights = sys.argv[1:]
    case = case_of(name)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    system: Any
    if kind == "torch":
        from bench.models.torch_nets import System as Torch

        system = Torch(name, case, weights)
    else:
        from importlib import import_module

        from bench.models.keras_like import System as KerasLike

        system = KerasLike(import_module(kind), case, weights)
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
        else:
            rows, calls = map(int, request[1:])
            x, _ = case.data(rows)
            total = float(abs(system.predict(x)).sum())
            began = time.perf_counter()
            for _ in range(calls):
                system.predict(x)
            answer = {"seconds": (time.perf_counter() - began) / calls, "total": total}


if __name__ == "__main__":
    main()
