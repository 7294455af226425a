"""Measuring all cases on all systems in turn, and the tables of what came out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

from bench.models.cases import CASES, PREDICT
from bench.models.contest import OURS, Contest, Setting
from bench.models.results import OWN, TRAIN, Found, Row

SETTINGS = [
    OURS,
    Setting("Keras-jax", "keras", {"KERAS_BACKEND": "jax"}),
    Setting("Keras-jax, 8 steps a call", "keras", {"KERAS_BACKEND": "jax", "BENCH_STEPS": "8"}),
    Setting("Keras-TensorFlow", "keras", {"KERAS_BACKEND": "tensorflow"}),
    Setting("Keras-torch", "keras", {"KERAS_BACKEND": "torch"}),
    Setting("PyTorch", "torch", {}),
    Setting("PyTorch, compiled", "torch", {"BENCH_COMPILE": "1"}),
    Setting("Flax NNX", "flax", {}),
]
SHARE = """Share of limit is the least time that this machine could take for a step's arithmetic \
and memory traffic, over the time that Slipstream took; compiling is the first epoch less a warm \
one. A row is void if losses of the first epoch or outputs, from the same weights, differ by 2 %.
"""


def models(
    rounds: int,
    names: list[str] | None = None,
    only: list[str] | None = None,
    together: bool = False,
) -> Iterator[list[Found]]:
    """Measure whole models, case by case; what there is so far, after each.

    Each case's table is printed as soon as it is there. A case whose systems die is left out.

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
            list(pool.map(lambda contest: contest.prepare(PREDICT), contests))
    found: list[Found] = []
    for contest in contests:
        try:
            if not together:
                contest.prepare()
            found.append(contest.measure(rounds))
        except (RuntimeError, BrokenPipeError) as error:
            print(f"{contest.name}: {error}", file=sys.stderr)
            continue
        print(of_case(found[-1]), flush=True)
        yield found


def markdown(found: list[Found]) -> str:
    """The summary and the table of each case."""
    return "\n".join([SHARE, summary(found), *map(of_case, found)])


def summary(found: list[Found]) -> str:
    """One line a case: how Slipstream stands to the best peer in each task."""
    tasks = [TRAIN, *(f"predict {rows}" for rows in PREDICT)]
    lines = [
        "| network | " + " | ".join(tasks) + " | share of limit | peak memory, PyTorch's |",
        "|---|" + "---|" * (len(tasks) + 2),
    ]
    for case in found:
        cells = [case.name]
        for task in tasks:
            best = case.best(task) if task in case.tasks else None
            cells.append("–" if best is None else f"{case.ratio(task, best):.2f}× ({best})")
        cells.append(f"{case.share:.0%}")
        there = "PyTorch" in case.tasks[TRAIN]
        cells.append(f"{case.memory('PyTorch'):.2f}×" if there else "–")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(["Against the best peer of each task:", "", *lines, ""])


def of_case(found: Found) -> str:
    """The table of one case."""
    tasks = [task for task in found.tasks if task != TRAIN]
    headings = ["system", "ms a step", "share of limit", "first epoch s", "compiling s"]
    headings += ["peak MiB", *(f"{task}, ms" for task in tasks)]
    lines = [
        f"### {found.name}, batch {found.batch}",
        "",
        "| " + " | ".join(headings) + " |",
        "|---" * len(headings) + "|",
        *(line(system, found) for system in found.tasks[TRAIN]),
        "",
    ]
    return "\n".join([*lines, verdict(found), ""])


def line(system: str, found: Found) -> str:
    """One system's line; a ratio above 1 says that Slipstream is better."""
    row = found.tasks[TRAIN][system]
    memory = f"{row.peak / 2**20:.0f}"
    if system != OWN:
        memory += f", {found.memory(system):.2f}×"
    cells = [
        system,
        cell(found.tasks[TRAIN], system),
        f"{found.share:.0%}" if system == OWN else "",
        f"{row.first:.2f}",
        f"{found.compiling(system):.2f}",
        memory,
        *(cell(rows, system) for task, rows in found.tasks.items() if task != TRAIN),
    ]
    return "| " + " | ".join(cells) + " |"


def cell(rows: dict[str, Row], system: str) -> str:
    """``12.3 (11.9–14.0), 1.40×``."""
    if not rows[system].agrees:
        return "void: the results differ"
    values = [1e3 * value for value in rows[system].seconds]
    shown = f"{median(values):.4g} ({min(values):.4g}–{max(values):.4g})"
    if system == OWN:
        return shown
    return f"{shown}, {median(values) / 1e3 / median(rows[OWN].seconds):.2f}×"


def verdict(found: Found) -> str:
    """How Slipstream stands to the best peer in each task."""
    parts = []
    for task in found.tasks:
        best = found.best(task)
        if best is not None:
            parts.append(f"{task}: {found.ratio(task, best):.2f}× ({best})")
    return "Against the best peer: " + "; ".join(parts) + "."
