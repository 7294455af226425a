"""What a run's time went into, what bounded it, and what could be gained: one line and a dict."""

from __future__ import annotations

from typing import Any, NamedTuple

from slipstream.core.cost import NOTHING, Cost
from slipstream.speed.ceilings import ROUGH, Ceilings
from slipstream.speed.limits import Limit, limit
from slipstream.speed.words import percent, span

MEASURE_AFTER = 5.0  # a run of so many seconds is worth one of measuring the machine


class Work(NamedTuple):
    """What was done in one part of a run.

    Attributes:
        dispatches: programs started.
        steps: batches.
        rows: examples.
        cost: of all steps together.
    """

    dispatches: int = 0
    steps: int = 0
    rows: int = 0
    cost: Cost = NOTHING

    def plus(self, steps: int, rows: int, cost: Cost) -> Work:
        """With one more dispatch of so many steps of this cost each."""
        return Work(
            self.dispatches + 1, self.steps + steps, self.rows + rows, self.cost.plus(cost, steps)
        )


# A clock's parts by the names that users know them by, and how a gain there is called.
_BOUNDS = {
    "data": "input",
    "validate": "validation",
    "build": "building the model",
    "other": "other work",
}
_GAINS = {"compute": "faster steps", "memory": "less memory traffic", "dispatch": "larger steps"}


def diagnose(
    seconds: dict[str, float],
    work: dict[str, Work],
    ceilings: Ceilings | None,
    predicted: float | None = None,
) -> dict[str, Any]:
    """What is to be said about a run.

    Args:
        seconds: its time by parts.
        work: what was done in the parts ``train`` and ``validate``.
        ceilings: what the machine can do; None leaves shares and limits out.
        predicted: seconds that a forecast gave, or None.

    Returns:
        A dictionary for JSON; `docs/speed.md` explains the entries.
    """
    total = sum(seconds.values())
    trained = work.get("train", Work())
    limits = {part: limit(w.cost, ceilings or ROUGH, w.dispatches) for part, w in work.items()}
    inside = limits.get("train", Limit(0.0, 0.0, 0.0))
    largest = max(seconds, key=lambda part: seconds[part], default="other")
    bound = inside.bound if largest == "train" else _BOUNDS.get(largest, largest)
    found: dict[str, Any] = {
        "seconds": total,
        "samples": trained.rows,
        "samples_per_second": trained.rows / max(total, 1e-9),
        "samples_per_second_training": trained.rows / max(seconds.get("train", 0.0), 1e-9),
        "steps": trained.steps,
        "dispatches": trained.dispatches,
        "flops": trained.cost.flops,
        "bytes": trained.cost.bytes,
        "split": dict(seconds),
        "bound": bound,
        "limit": None,
        "share": None,
        "train_share": None,
        "gain": _gain(seconds, limits, ceilings, inside.bound),
        "ceilings": None,
        "forecast": None,
    }
    if ceilings is not None:
        least = sum(each.seconds for each in limits.values())
        found["limit"] = {**inside._asdict(), "seconds": least}
        found["share"] = least / max(total, 1e-9)
        found["train_share"] = inside.seconds / max(seconds.get("train", 0.0), 1e-9)
        found["ceilings"] = ceilings.to_dict()
    if predicted is not None:
        found["forecast"] = {"predicted": predicted, "actual": total}
    return found


def _gain(
    seconds: dict[str, float], limits: dict[str, Limit], ceilings: Ceilings | None, bound: str
) -> dict[str, Any] | None:
    """The largest time above what is needed, and where it is lost."""
    above = {
        part: spent - (limits[part].seconds if part in limits else 0.0)
        for part, spent in seconds.items()
        if ceilings is not None or part not in limits
    }
    if not above:
        return None
    part = max(above, key=lambda name: above[name])
    if above[part] <= 0 or (ceilings is None and above[part] < 0.1 * sum(seconds.values())):
        return None
    name = _GAINS[bound] if part == "train" else _BOUNDS.get(part, part)
    return {"part": part, "name": name, "seconds": above[part]}


def sentence(found: dict[str, Any]) -> str:
    """The line after a run."""
    parts = [f"{found['samples_per_second']:,.0f} samples/s"]
    if found["share"] is not None:
        parts.append(f"{percent(found['share'])} of this machine's limit")
    parts.append(f"bound by {found['bound']}")
    gain = found["gain"]
    if gain is not None:
        parts.append(
            f"most to gain: {gain['name']}, {span(gain['seconds'])} of {span(found['seconds'])}"
        )
    if found["forecast"] is not None:
        told = found["forecast"]
        parts.append(f"forecast {span(told['predicted'])}, took {span(told['actual'])}")
    return "Speed: " + " · ".join(parts)
