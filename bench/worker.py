"""A process that holds one system and times what it is told to, one request a line.

Requests and answers are JSON. ``{"do": "fit", "workload": NAME}`` makes a job (its first run
compiles); ``{"do": "run"}`` runs it and answers with seconds; ``{"do": "predict", "name":
"predict 32", "calls": 200}`` answers with seconds a call.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from typing import Any

from bench.workloads import WORKLOADS, predict_rows, workload_of


def main() -> None:
    """Answer requests until the input ends."""
    answers, sys.stdout = sys.stdout, sys.stderr
    system = importlib.import_module(f"bench.systems.{sys.argv[1]}_")
    job: Any = None
    predictors: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any] = {}
        if request["do"] == "fit":
            job = system.fit(workload_of(request["workload"]))
        elif request["do"] == "run":
            begin = time.perf_counter()
            answer["loss"] = float(job())
            answer["seconds"] = time.perf_counter() - begin
        elif request["do"] == "predict":
            if "model" not in predictors:
                predictors["model"] = system.predictor(WORKLOADS["reference"])
            call, x = predictors["model"], predict_rows(request["name"])
            call(x), call(x)
            begin = time.perf_counter()
            for _ in range(request["calls"]):
                call(x)
            answer["seconds"] = (time.perf_counter() - begin) / request["calls"]
        answer["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
