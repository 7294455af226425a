"""``python -m bench``: run every row and write ``RESULTS.md``, ``LAYERS.md``, ``AUGMENTATION.md``,
``MODELS.md`` and ``SCALING.md`` in ``bench/``, with pictures of the last two."""

from __future__ import annotations

import argparse
import compileall
import shutil
import tempfile
import time
from pathlib import Path

import bench
import slipstream
from bench.augmentation.table import augmentation
from bench.harness import (
    LIMIT,
    PEERS,
    SLIPSTREAM,
    Process,
    Spread,
    System,
    process,
    rounds_of_fit,
    rounds_of_predict,
)
from bench.layers.rows import FAMILIES
from bench.layers.table import layers
from bench.machine import heading
from bench.models.cases import CASES
from bench.models.kept import keep_models, keep_scaling, redraw
from bench.models.scaling import scaling
from bench.models.table import SETTINGS, models
from bench.workloads import WORKLOADS, describe

RESULTS = Path(__file__).with_name("RESULTS.md")
LAYERS = Path(__file__).with_name("LAYERS.md")
AUGMENTATION = Path(__file__).with_name("AUGMENTATION.md")
MODELS = Path(__file__).with_name("MODELS.md")
SCALING = Path(__file__).with_name("SCALING.md")
# Under the heading of the results, with the number of measurements.
MEDIANS = """Medians of {} interleaved measurements, least to greatest in brackets. A ratio is the \
peer's median over Slipstream's: above 1, Slipstream is faster. The times of one run compare with \
each other and with nothing else.
"""


def main() -> None:
    """Run the chosen rows."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="measurements a system and row")
    parser.add_argument(
        "--only",
        nargs="*",
        help="sections: process fit overhead predict import layers augmentation models scaling",
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        choices=FAMILIES,
        metavar="FAMILY",
        help="only these families of the section layers: " + " ".join(FAMILIES),
    )
    parser.add_argument(
        "--cases", nargs="+", choices=CASES, metavar="CASE", help="only these networks of models"
    )
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=[each.name for each in SETTINGS],
        metavar="SYSTEM",
        help="only these systems of models, beside Slipstream",
    )
    parser.add_argument(
        "--together", action="store_true", help="prepare all networks at once, given many cores"
    )
    parser.add_argument("--write", type=Path, help="file for the table of models")
    parser.add_argument(
        "--redraw", action="store_true", help="measure nothing: tables and pictures as kept"
    )
    chosen = parser.parse_args()
    if chosen.redraw:
        for name in redraw(chosen.write or MODELS, SCALING):
            print(f"Written to {name}.")
        return
    if chosen.cases:
        chosen.only = ["models"]
    if chosen.layers:
        chosen.only = ["layers"]
    # As installing does for every package: sources in a checkout would be compiled at each import.
    for package in (slipstream, bench):
        compileall.compile_dir(str(Path(package.__file__ or "").parent), quiet=2)
    sections = {
        "process": whole_process,
        "fit": fits,
        "overhead": overhead,
        "predict": predictions,
        "import": imports,
    }
    parts = [heading("Results"), MEDIANS.format(chosen.rounds)]
    for name, section in sections.items():
        if not chosen.only or name in chosen.only:
            part = section(chosen.rounds)
            print(part, flush=True)
            parts.append(part)
    if not chosen.only or set(sections) <= set(chosen.only):
        RESULTS.write_text("\n".join(parts))
        print(f"Written to {RESULTS.name}.")
    if not chosen.only or "layers" in chosen.only:
        of_layers(max(chosen.rounds, 7), chosen.layers or [])
    if not chosen.only or "augmentation" in chosen.only:
        part = augmentation(max(chosen.rounds, 7), [])
        AUGMENTATION.write_text(f"{heading('Augmentation')}\n{part}")
        print(f"Written to {AUGMENTATION.name}.")
    if not chosen.only or "models" in chosen.only:
        file = chosen.write or (None if chosen.cases else MODELS)
        above = f"{heading('Whole models')}\n{MEDIANS.format(chosen.rounds)}"
        for found in models(chosen.rounds, chosen.cases, chosen.systems, chosen.together):
            if file:  # after each network, so that nothing measured is lost
                keep_models(above, found, file)
                print(f"Written to {file.name}.")
    if not chosen.only or "scaling" in chosen.only:
        keep_scaling(heading("Scaling"), chosen.rounds, scaling(chosen.rounds), SCALING)
        print(f"Written to {SCALING.name}.")


def of_layers(rounds: int, families: list[str]) -> None:
    """The section of layers, whose table has a file of its own."""
    part = layers(rounds, families)
    print(part, flush=True)
    if not families:
        LAYERS.write_text(f"{heading('Layers')}\n{part}")
        print(f"Written to {LAYERS.name}.")


def table(title: str, measured: dict[str, list[float]], unit: float, shown: str) -> str:
    """A table of one row a system, Slipstream first."""
    own = Spread.of(measured[SLIPSTREAM.name]).median
    lines = [f"## {title}", "", f"| system | {shown} | ratio |", "|---|---|---|"]
    for name, values in measured.items():
        spread = Spread.of([value * unit for value in values])
        ratio = "" if name == SLIPSTREAM.name else f"{spread.median / unit / own:.2f}×"
        lines.append(
            f"| {name} | {spread.median:.4g} ({spread.least:.4g}–{spread.greatest:.4g}) | {ratio} |"
        )
    return "\n".join([*lines, ""])


def whole_process(rounds: int) -> str:
    """The reference job from the start of the process to its end, cold and second run."""
    folder = Path(tempfile.mkdtemp())
    kept = {"SLIPSTREAM_CACHE": str(folder / "kept")}
    jax_cache = {
        "JAX_COMPILATION_CACHE_DIR": str(folder / "keras"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    settings: dict[str, tuple[System, dict[str, str]]] = {
        "Slipstream": (SLIPSTREAM, {}),
        "Slipstream, second run": (SLIPSTREAM, kept),
        **{peer.name: (peer, {}) for peer in PEERS},
        "Keras-jax, second run with JAX's cache": (PEERS[0], jax_cache),
    }
    runs: dict[str, list[Process]] = {name: [] for name in settings}
    for number in range(rounds + 1):
        for name, (system, extra) in settings.items():
            environment = {**system.environment, **extra}
            if name == "Slipstream":  # cold: a cache that nobody has written to
                environment["SLIPSTREAM_CACHE"] = str(folder / f"cold{number}")
            found = process(["-m", "bench.job", system.module], environment)
            if number:  # the first round warms the disk, and the caches that are to be warm
                runs[name].append(found)
    shutil.rmtree(folder)
    parts = []
    for title, names in (
        ("cold", [n for n in settings if "second" not in n]),
        ("second run", ["Slipstream, second run", *[n for n in settings if n != "Slipstream"][1:]]),
    ):
        own = names[0]
        for what, unit, shown in (("wall", 1.0, "wall s"), ("cpu", 1.0, "CPU s")):
            measured = {
                SLIPSTREAM.name if name == own else name: [getattr(r, what) for r in runs[name]]
                for name in names
            }
            parts.append(
                table(f"Reference job, whole process, {title}, {what}", measured, unit, shown)
            )
    memory = {name: [run.peak for run in runs[name]] for name in settings if "second" not in name}
    parts.append(table("Reference job, peak memory of the process", memory, 2**-20, "MiB"))
    return "\n".join(parts)


def fits(rounds: int) -> str:
    """Time a step in a warm fit, and the first epoch."""
    parts = []
    for name, workload in WORKLOADS.items():
        systems = [SLIPSTREAM, LIMIT, *PEERS]
        if name == "long steps":
            systems = [SLIPSTREAM, LIMIT, PEERS[3], PEERS[4]]
        first, warm = rounds_of_fit(systems, name, rounds)
        per_step = {
            system: [seconds / workload.steps for seconds in values]
            for system, values in warm.items()
        }
        title = f"{name}: {describe(workload)}"
        parts.append(table(f"{title}, warm fit", per_step, 1e6, "µs a step"))
        parts.append(
            table(
                f"{title}, first fit of {workload.epochs} epochs (one measurement)",
                {system: [seconds] for system, seconds in first.items()},
                1.0,
                "s",
            )
        )
    return "\n".join(parts)


def overhead(rounds: int) -> str:
    """`fit` against the hand-written loop on long steps, in turn within one process.

    Two processes on a shared machine differ by more than the few per cent in question.
    """
    from bench.systems import jax_, slipstream_

    workload = WORKLOADS["long steps"]
    jobs = {SLIPSTREAM.name: slipstream_.fit(workload), LIMIT.name: jax_.fit(workload)}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for number in range(rounds + 1):
        for name, job in jobs.items():
            begin = time.perf_counter()
            job()
            if number:  # the first round compiles
                seconds[name].append((time.perf_counter() - begin) / workload.steps)
    return table(
        f"long steps: {describe(workload)}, both in one process", seconds, 1e3, "ms a step"
    )


def predictions(rounds: int) -> str:
    """`predict` of the reference network."""
    names = ["predict 1", "predict 32", "predict 1000", "predict 10000"]
    found = rounds_of_predict([SLIPSTREAM, *PEERS], names, rounds, 100)
    return "\n".join(
        table(f"{name.replace('predict', 'predict of')} examples", each, 1e6, "µs a call")
        for name, each in found.items()
    )


def imports(rounds: int) -> str:
    """Whole processes that only import."""
    programs = {
        SLIPSTREAM.name: "import slipstream",
        "slipstream.models and .layers": "import slipstream.models, slipstream.layers",
        "jax": "import jax",
        "jax.numpy": "import jax.numpy",
        "keras (jax)": "import keras",
        "torch": "import torch",
        "tensorflow": "import tensorflow",
    }
    walls: dict[str, list[float]] = {name: [] for name in programs}
    for number in range(rounds + 1):
        for name, program in programs.items():
            found = process(["-c", program], {"KERAS_BACKEND": "jax"})
            if number:
                walls[name].append(found.wall)
    return table("Import, whole process", walls, 1e3, "ms")


if __name__ == "__main__":
    main()
