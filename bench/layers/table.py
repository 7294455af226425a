"""The section of layers: runs the rows in a process of their own and tabulates them."""

from __future__ import annotations

import sys
from statistics import median

from bench.child import lines_of
from bench.layers.case import THREADS
from bench.layers.job import KERAS, OURS, TORCH
from bench.layers.rows import ROWS

EVEN = 0.95  # a ratio from here on is called no loss


def layers(rounds: int, families: list[str]) -> str:
    """Time rows of the families named, or of all, and tabulate them; they show as they come."""
    lines, lost = [], []
    for result in lines_of("bench.layers.job", [str(rounds), *families]):
        row = ROWS[result["row"]]
        cells = [row.family, f"{row.what} {row.shape}".strip(), result["mode"]]
        if "seconds" in result:
            found = {name: median(values) for name, values in result["seconds"].items()}
            cells += [f"{found[n] * 1e3:.3g}" if n in found else "–" for n in (OURS, KERAS, TORCH)]
            ratio = best_ratio(found)
            cells.append(shown(ratio))
            if ratio is not None and ratio < EVEN:
                lost.append((ratio, f"{row.name}, {result['mode']}"))
        else:
            cells += ["–", "–", "–", f"**{result['why']}**"]
        lines.append("| " + " | ".join(cells) + " |")
        print(lines[-1], file=sys.stderr, flush=True)
    losses = [f"- {ratio:.2f}×: {name}" for ratio, name in sorted(lost)]
    return "\n".join(
        [
            f"Milliseconds a call, float32, at most {THREADS} threads: medians of {rounds} "
            "measurements, in turn within one process. "
            "`forward` is inference, `forward+backward` training: the outputs, and the gradients "
            "of their weighed sum for all weights and the input. PyTorch is eager, in the memory "
            "layout and on as many threads as are quickest for the row. Outputs and gradients of "
            "the input are the same in all systems, or the row is void; a system without the "
            "layer has an empty cell. What a layer passes on as it is, PyTorch gives as the same "
            "memory, where a compiled program that ends there has to copy it. The ratio is the "
            f"best peer's time over ours; below {EVEN} it is marked.",
            "",
            f"| layer | what, input | mode | {OURS} | {KERAS} | {TORCH} | best peer / ours |",
            "|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"Slower than the best peer: {len(lost)} of {len(lines)}.",
            *(["", *losses] if losses else []),
            "",
        ]
    )


def best_ratio(seconds: dict[str, float]) -> float | None:
    """The best peer's time over ours, or None where no peer has the layer."""
    peers = [each for name, each in seconds.items() if name != OURS]
    return min(peers) / seconds[OURS] if peers else None


def shown(ratio: float | None) -> str:
    """A ratio as its cell in the table."""
    if ratio is None:
        return "–"
    return f"{ratio:.2f}×" if ratio >= EVEN else f"**{ratio:.2f}× slower**"
