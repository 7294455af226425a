"""A process that times rows and prints one JSON line for each mode of each.

``python -m bench.layers.job ROUNDS [FAMILY …]``. A line has ``row`` (its place in `ROWS`), ``mode``
and either ``seconds``, a list for each system, and the ``ways`` that were the fastest, or ``why``
there are none.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

from bench.layers.agreement import difference
from bench.layers.case import THREADS, Case, Program
from bench.layers.rows import ROWS, Row
from bench.layers.timing import fastest, in_turn

OURS, KERAS, TORCH = "Slipstream", "Keras-jax", "PyTorch"


def main() -> None:
    """Time the rows of the families named, or of all."""
    answers, sys.stdout = sys.stdout, sys.stderr
    limit_cores()
    rounds, families = int(sys.argv[1]), sys.argv[2:]
    for place, row in enumerate(ROWS):
        if families and row.family not in families:
            continue
        for mode, found in measured(row, rounds).items():
            answers.write(json.dumps({"row": place, "mode": mode, **found}) + "\n")
        answers.flush()


def limit_cores() -> None:
    """No more cores than `THREADS`: JAX has a thread for each that it may run on."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])


def measured(row: Row, rounds: int) -> dict[str, dict[str, Any]]:
    """What came of each mode. A row that fails says so, and the next one follows."""
    from bench.layers import jax_

    try:
        found = jax_.case_of(row)
        if found is None:
            return {mode: {"why": "not there yet"} for mode in row.modes}
        case, layer = found
        ours, theirs = jax_.programs(layer, case), peers(case)
        return {
            mode: in_mode(
                case, rounds, ours[mode], {name: each[mode] for name, each in theirs.items()}
            )
            for mode in row.modes
        }
    except Exception as error:
        traceback.print_exc()
        why = f"failed: {type(error).__name__}: {str(error)[:100]!r}"
        return {mode: {"why": why} for mode in row.modes}


def in_mode(
    case: Case, rounds: int, ours: Program, peers: dict[str, list[Program]]
) -> dict[str, Any]:
    """Seconds of each system in one mode, each peer in its fastest way, or why there are none."""
    if why := disagreement(case, ours, peers):
        return {"why": f"void: {why}"}
    chosen = {OURS: ours}
    for name, programs in peers.items():
        chosen[name] = programs[fastest([program.run for program in programs])]
    seconds = in_turn({name: program.run for name, program in chosen.items()}, rounds)
    return {"seconds": seconds, "ways": {name: each.way for name, each in chosen.items()}}


def peers(case: Case) -> dict[str, dict[str, list[Program]]]:
    """The peers that have the layer: name, mode, and the ways of a peer to compute it."""
    from bench.layers import jax_

    found = {}
    if keras := jax_.keras_layer(case):
        programs = jax_.programs(keras, case)
        found[KERAS] = {mode: [program] for mode, program in programs.items()}
    try:
        from bench.layers import torch_
    except ImportError:
        return found
    if theirs := torch_.programs(case):
        found[TORCH] = theirs
    return found


def disagreement(case: Case, ours: Program, peers: dict[str, list[Program]]) -> str:
    """Where a peer computes something else than we do, or an empty text."""
    mine = ours.arrays()
    for name, programs in peers.items():
        for program in programs:
            if why := difference(case, mine, program.arrays()):
                return f"{name}: {why}"
    return ""


if __name__ == "__main__":
    main()
