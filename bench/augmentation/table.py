"""The section of augmentation: runs the job in a process of its own and tabulates it."""

from __future__ import annotations

import importlib.metadata
import sys
from statistics import median

from bench.augmentation.job import KERAS, MOVING, OURS, TORCH, TRAINING
from bench.augmentation.limit import LIMIT
from bench.augmentation.rows import SHAPE
from bench.augmentation.training import PLAIN
from bench.child import lines_of
from bench.layers.case import THREADS

FLOOR = 3.0  # times the best peer's throughput that is asked of a layer
COST = 15.0  # per cent that augmentation may cost a training


def augmentation(rounds: int, names: list[str]) -> str:
    """Time the layers named, or all and the training, and tabulate them; they show as they come."""
    lines: list[str] = []
    below: list[tuple[float, str]] = []
    least: dict[str, list[float]] = {}
    trained = ""
    for result in lines_of("bench.augmentation.job", [str(rounds), *names]):
        seconds = result["seconds"]
        if result["name"] == TRAINING:
            trained = cost(seconds)
            continue
        if result["name"] == LIMIT:
            least = seconds
            continue
        line, ratio = row(result["name"], result["called"], seconds, *least[result["name"]])
        lines.append(line)
        print(line, file=sys.stderr, flush=True)
        if ratio is not None and ratio < FLOOR:
            peer = ratio * median(seconds[OURS])  # seconds
            figures = at_most(peer / median(seconds[MOVING]), peer / least[result["name"]][0])
            below.append((ratio, f"{result['name']}, {result['called']}; {figures}"))
    height, width, channels = SHAPE[1:]
    return "\n".join(
        [
            f"Pictures a second, {SHAPE[0]} of {height}×{width}×{channels} in a call, at most "
            f"{THREADS} threads: medians of {rounds} measurements, in turn within one process. "
            "`in a program` is compiled as part of a training program, `by itself` is called on "
            "an array as a data pipeline does; both on float32. torchvision's transforms are "
            "called on uint8 tensors, a picture at a time, in one process or in "
            f"{THREADS}, whichever is quicker for the row; MixUp and CutMix take all at once, "
            f"and draw once for all ({_version()}). A dash: there is no such thing, or it cannot "
            "be compiled. The ratio is ours over the best peer's. The share of the limit is the "
            "least time to read the pictures once (MixUp and CutMix: twice) and write them once, "
            "at the bandwidth measured just before, over our time. Where the ratio is below the "
            f"floor of {FLOOR:g}, it is told what it would be at that limit, and for a program of "
            "ours that draws nothing: numbers multiplied and added to (MixUp and CutMix: pictures "
            "blended), timed in turn with the rest.",
            "",
            f"| layer | called | {OURS} | {KERAS} | {TORCH} | ours / best peer | share of limit |",
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"Below {FLOOR:g}× the best peer: {len(below)} of {len(lines)}.",
            *(["", *[f"- {ratio:.2f}×: {what}" for ratio, what in sorted(below)]] if below else []),
            "",
            trained,
        ]
    )


def _version() -> str:
    try:
        return f"torchvision {importlib.metadata.version('torchvision')}"
    except importlib.metadata.PackageNotFoundError:
        return "torchvision is not installed"


def at_most(moving: float, limit: float) -> str:
    """The ratio of our program that draws nothing, and of what memory allows."""
    said = f"{moving:.2f}× if nothing were drawn, {limit:.1f}× at the limit"
    return said if limit >= FLOOR else f"{said}: {FLOOR:g}× is out of reach for anyone"


def row(
    name: str, called: str, seconds: dict[str, list[float]], least: float
) -> tuple[str, float | None]:
    """A line of the table, and ours over the best peer's throughput if there is a peer.

    Args:
        name, called: the row, and the way to call its layer.
        seconds: of a call, for each system.
        least: seconds that memory allows.
    """
    each = {system: SHAPE[0] / median(values) for system, values in seconds.items()}
    peers = [each[system] for system in (KERAS, TORCH) if system in each]
    ratio = each[OURS] / max(peers) if peers else None
    cells = [name, called]
    cells += [f"{each[s]:,.0f}" if s in each else "–" for s in (OURS, KERAS, TORCH)]
    if ratio is None:
        cells.append("–")
    else:
        cells.append(f"{ratio:.2f}×" if ratio >= FLOOR else f"**{ratio:.2f}×**")
    cells.append(f"{100 * least / median(seconds[OURS]):.0f} %")
    return "| " + " | ".join(cells) + " |", ratio


def cost(seconds: dict[str, list[float]]) -> str:
    """The table of the training."""
    plain = median(seconds[PLAIN])
    lines = []
    for name, values in seconds.items():
        more = 100 * (median(values) / plain - 1)
        shown = f"{more:+.1f} %" if more < COST else f"**{more:+.1f} %**"
        lines.append(
            f"| {name} | {1e3 * median(values):.4g} ({1e3 * min(values):.4g}–"
            f"{1e3 * max(values):.4g}) | {'' if name == PLAIN else shown} |"
        )
    return "\n".join(
        [
            "## What it costs in a training",
            "",
            "ResNet-20 on 32×32 pictures, batches of 32, `fit` with these layers before the "
            f"network, trained in turn within one process. {COST:g} % and more is marked.",
            "",
            "| before the network | ms a step | cost |",
            "|---|---|---|",
            *lines,
            "",
        ]
    )
