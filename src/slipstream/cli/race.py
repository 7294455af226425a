"""``slipstream race``: a script or model of Keras', run there and here, side by side."""

from __future__ import annotations

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from slipstream.cli.problem import Problem
from slipstream.cli.screen import Screen

OUTPUTS, LOSSES, WEIGHTS = 1e-4, 1e-3, 2e-2  # largest relative differences that still agree


class Side:
    """A process that trains in one library when told to.

    Args:
        library: ``"keras"`` or ``"slipstream"``.
        target: script or ``.keras`` file.
        folder: for weights and outputs on their way.
        options: epochs, batch size, rows.
        backend: Keras' backend.
    """

    def __init__(
        self, library: str, target: Path, folder: str, options: dict[str, Any], backend: str
    ) -> None:
        self.library = library
        program = Path(__file__).with_name("racer.py")
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.log = open(os.path.join(folder, f"{library}.log"), "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, str(program), library, str(target), folder, json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=environment,
        )

    def answer(self) -> dict[str, Any]:
        """The next answer; a problem of that side ends the race."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = json.loads(line) if line else {"problem": "it ended without an answer"}
        if "problem" in found:
            self.log.seek(0)
            tail = "".join(self.log.readlines()[-12:])
            raise Problem(f"{self.library}: {found['problem']}\n{tail}", code=1)
        return found

    def do(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Give an order and wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"do": order, **arguments}) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self.log.close()


class Agreement(NamedTuple):
    """How far the two sides are apart in one respect, and how far they may be."""

    what: str
    difference: float
    allowed: float

    @property
    def holds(self) -> bool:
        """Whether they agree."""
        return self.difference <= self.allowed


def race(
    target: Path,
    epochs: int | None = None,
    batch_size: int | None = None,
    rows: int = 2048,
    rounds: int = 3,
    backend: str = "jax",
    as_json: bool = False,
) -> int:
    """Race one target; 0 if both sides agree, 1 if not."""
    if not target.exists():
        raise Problem(f"there is no file {str(target)!r}; give a script or a .keras file.")
    if target.suffix not in (".py", ".keras"):
        raise Problem(f"{target.name!r} is neither a script (.py) nor a model (.keras).")
    if importlib.util.find_spec("keras") is None:
        raise Problem("a race needs Keras beside Slipstream: pip install keras")
    options = {"epochs": epochs, "batch_size": batch_size, "rows": rows}
    with tempfile.TemporaryDirectory() as folder:
        sides: list[Side] = []
        try:
            for library in ("keras", "slipstream"):  # one after the other: a fair start each
                sides.append(Side(library, target.resolve(), folder, options, backend))
                facts = sides[-1].answer()
            found = _run(sides[0], sides[1], Path(folder), max(rounds, 1))
        finally:
            for side in sides:
                side.close()
    found.update(target=str(target), backend=backend, **facts)
    # Where layers draw random numbers, training can only agree by chance.
    binding = found["agreement"][:1] if found["random"] else found["agreement"]
    found["agree"] = all(Agreement(**each).holds for each in binding)
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        _show(found)
    return 0 if found["agree"] else 1


def _run(keras: Side, ours: Side, folder: Path, rounds: int) -> dict[str, Any]:
    sides = {"keras": keras, "slipstream": ours}
    start = str(folder / "start.npz")
    keras.do("save", path=start)
    for side in sides.values():
        side.do("load", path=start)
    for name, side in sides.items():
        side.do("outputs", path=str(folder / f"{name}_outputs.npz"))
    fits: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    predictions: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds + 1):
        for name, side in sides.items():
            fits[name].append(side.do("fit", path=str(folder / f"{name}_weights.npz")))
    for _ in range(rounds + 1):
        for name, side in sides.items():
            predictions[name].append(side.do("predict")["seconds"])
    agreement = [_outputs(folder)]
    if fits["keras"][0]["history"]:
        agreement += _training(folder, fits)
    return {
        "agreement": [each._asdict() for each in agreement],
        "seconds": {
            name: {
                "first_fit": fits[name][0]["seconds"],
                "fit": statistics.median(fit["seconds"] for fit in fits[name][1:]),
                "predict": statistics.median(predictions[name][1:]),
            }
            for name in sides
        },
        "rounds": rounds,
    }


def _outputs(folder: Path) -> Agreement:
    theirs, mine = _arrays(folder / "keras_outputs.npz"), _arrays(folder / "slipstream_outputs.npz")
    return Agreement("outputs before training", _distance(theirs, mine), OUTPUTS)


def _training(folder: Path, fits: dict[str, list[dict[str, Any]]]) -> list[Agreement]:
    theirs, mine = fits["keras"][0]["history"], fits["slipstream"][0]["history"]
    missing = set(theirs) ^ set(mine)
    if missing:
        return [Agreement(f"names of metrics ({', '.join(sorted(missing))})", np.inf, 0.0)]
    losses = max(
        abs(a - b) / max(abs(a), 1e-6)
        for name in theirs
        if name.endswith("loss")
        for a, b in zip(theirs[name], mine[name])
    )
    start = _arrays(folder / "start.npz")
    moves = [
        [after - before for after, before in zip(_arrays(folder / f"{name}_weights.npz"), start)]
        for name in ("keras", "slipstream")
    ]
    return [
        Agreement("losses of all epochs", losses, LOSSES),
        Agreement("change of the weights", _distance(*moves), WEIGHTS),
    ]


def _arrays(path: Path) -> list[np.ndarray]:
    with np.load(path) as stored:
        return [stored[f"arr_{i}"].astype("float64") for i in range(len(stored.files))]


def _distance(theirs: list[np.ndarray], mine: list[np.ndarray]) -> float:
    """Length of the difference over the length of theirs."""
    if [a.shape for a in theirs] != [b.shape for b in mine]:
        return float("inf")
    apart = sum(float(np.sum((a - b) ** 2)) for a, b in zip(theirs, mine))
    scale = sum(float(np.sum(a**2)) for a in theirs)
    return float(np.sqrt(apart / max(scale, 1e-30)))


def _show(found: dict[str, Any]) -> None:
    screen = Screen()
    screen.line(
        (Path(found["target"]).name, "bold"),
        f" · {found['parameters']:,} parameters · Keras on {found['backend']} against Slipstream",
    )
    if found["dropped"]:
        screen.line(("  left out of the race: ", "yellow"), ", ".join(found["dropped"]))
    if found["random"]:
        screen.line(
            ("  draws random numbers: ", "yellow"),
            f"{', '.join(found['random'][:4])}. Losses and weights can only agree by chance.",
        )
    for each in (Agreement(**entry) for entry in found["agreement"]):
        mark = ("✓ ", "green") if each.holds else ("✗ ", "red")
        screen.line(mark, f"{each.what}: {each.difference:.1e} apart (at most {each.allowed:.0e})")
    screen.line(("                        Keras   Slipstream   ratio", "dim"))
    titles = {
        "first_fit": "first fit, compiling",
        "fit": f"fit, median of {found['rounds']}",
        "predict": f"predict, median of {found['rounds']}",
    }
    for key, title in titles.items():
        theirs, mine = (found["seconds"][name][key] for name in ("keras", "slipstream"))
        screen.line(
            f"{title:<20} {theirs:>7.3f} s {mine:>10.3f} s {theirs / mine:>6.1f}×",
        )
