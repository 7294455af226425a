"""``slipstream train``: from rows to a trained model and a report."""

from __future__ import annotations

import json
import math
import platform
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from slipstream import callbacks, report, utils
from slipstream.cli import network, sources
from slipstream.cli.look import Epochs, Screen, duration
from slipstream.cli.options import Options
from slipstream.cli.problem import Problem
from slipstream.cli.rows import Encoded, Rows
from slipstream.cli.split import Split, split
from slipstream.models import Sequential
from slipstream.models.saving import atomic

SMALL = 10_000  # training rows up to which steps are of 32 rows
MODEL, REPORT, RESULTS = "model.keras", "report.html", "results.json"


def train(options: Options) -> int:
    """Train, save and report; give the command's exit code.

    Raises:
        Problem: if the options or the data are of no use.
    """
    options.check()
    out = _folder(options)
    rows = sources.read(options.data, options.target, options.task, options.drop)
    classes = rows.target.classes
    parts = split(
        rows.target.y, len(classes) if classes else None, options.validation, options.test,
        options.seed, rows.held_out,
    )  # fmt: skip
    encoded = rows.features.encode(parts.train)
    notes = [*rows.notes, *encoded.notes, *_warnings(rows, encoded, parts)]
    utils.clear_session()
    utils.set_random_seed(options.seed)
    model = network.build(encoded.x, rows.target, parts.train, options.units(), options.dropout)
    network.compile_model(model, rows.target, parts.train, options.optimizer, options.learning_rate)
    batch_size = options.batch_size or (32 if len(parts.train) <= SMALL else 128)
    screen = Screen(options.quiet)
    _introduce(screen, options, rows, parts, model, batch_size, notes)
    stopper, ended = _fit(model, encoded.x, rows.target.y, parts, options, batch_size, screen)
    run = _run(options, rows, encoded, parts, model, batch_size, notes, stopper.best_epoch, ended)
    _write(run, encoded, out)
    _conclude(screen, run, out, options)
    return 130 if model.interrupted else 0


def _folder(options: Options) -> Path:
    """The folder of the results, made now so that no training ends in front of a closed door."""
    out = options.out or Path("runs") / datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    if (out / MODEL).exists() and not options.overwrite:
        raise Problem(f"{out} holds a model already. Name another --out, or pass --overwrite.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / ".try").touch()
        (out / ".try").unlink()
    except OSError as error:
        raise Problem(f"Cannot write to {out}: {error.strerror}. Name another --out.") from error
    return out


def _warnings(rows: Rows, encoded: Encoded, parts: Split) -> list[str]:
    notes = []
    classes = rows.target.classes
    if classes is not None:
        counts = np.bincount(rows.target.y[parts.test], minlength=len(classes))
        missing = [name for name, count in zip(classes, counts) if not count]
        if missing:
            notes.append(
                f"No test row of {', '.join(missing[:8])}: too few rows of it to tell how well it "
                "is recognised."
            )
    seen = {row.tobytes() for row in encoded.x[parts.train]}
    twice = sum(row.tobytes() in seen for row in encoded.x[parts.test])
    if twice:
        notes.append(
            f"{twice:,} of {len(parts.test):,} test rows have an exact copy among the training "
            "rows, which makes the test easier than new data would be."
        )
    return notes


def _fit(
    model: Sequential,
    x: np.ndarray,
    y: np.ndarray,
    parts: Split,
    options: Options,
    batch_size: int,
    screen: Screen,
) -> tuple[Any, str]:
    """Train; give the callback that kept the best weights, and why training ended."""
    stopper = callbacks.EarlyStopping(
        "val_loss", patience=options.patience, mode="min", restore_best_weights=True
    )
    score = "accuracy" if "accuracy" in model._compiled.arguments["metrics"] else "mae"
    epochs = Epochs(screen, score, len(parts.train))
    with _hushed():
        model.fit(
            x[parts.train], y[parts.train], batch_size=batch_size, epochs=options.epochs,
            verbose=0, validation_data=(x[parts.validation], y[parts.validation]),
            callbacks=[stopper, epochs],
        )  # fmt: skip
    if stopper.best is not None and not math.isfinite(stopper.best):
        raise Problem(
            "The loss is no finite number any more: the steps are too large. Pass a smaller "
            "--learning-rate.",
            code=1,
        )
    if model.interrupted:
        return stopper, "it was interrupted"
    if stopper.stopped_epoch:
        return stopper, f"the validation loss had not improved for {options.patience} epochs"
    return stopper, "that is as many as were asked for"


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the warning that an interrupted epoch has no validation figures."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="EarlyStopping finds no")
        yield


def _run(
    options: Options,
    rows: Rows,
    encoded: Encoded,
    parts: Split,
    model: Sequential,
    batch_size: int,
    notes: list[str],
    best_epoch: int,
    ended: str,
) -> report.Run:
    seconds = dict(model.last_run)
    outputs = model.predict(encoded.x, verbose=0)
    if rows.target.classes is None:
        outputs = outputs.reshape(len(outputs))
    steps = math.ceil(len(parts.train) / batch_size)
    epochs = int(model.optimizer.iterations) / steps
    picture = network.is_image(encoded.x.shape[1:])
    return report.Run(
        name=rows.name,
        title=rows.title,
        source=rows.source,
        licence=rows.licence,
        classes=rows.target.classes,
        **{
            name: report.Part(rows.target.y[numbers], outputs[numbers])
            for name, numbers in zip(("training", "validation", "test"), parts)
        },
        model=model,
        history=model.history.history,
        best_epoch=best_epoch,
        ended=ended,
        seconds=seconds,
        rows_a_second=epochs * len(parts.train) / max(seconds.get("train", 0.0), 1e-9),
        pictures=encoded.x[parts.test] if picture else None,
        notes=notes,
        settings={
            "hidden layers": ", ".join(map(str, options.units())) or "none",
            "dropout": options.dropout,
            "optimizer": type(model.optimizer).__name__,
            "learning rate": f"{float(model.optimizer.learning_rate):g}",
            "batch size": batch_size,
            "epochs at most": options.epochs,
            "patience": options.patience,
            "seed": options.seed,
            "training / validation / test": " / ".join(f"{len(part):,}" for part in parts),
            "stratified": "yes" if rows.target.classes else "no",
        },
        versions={
            "slipstream": version("slipstream"),
            "jax": version("jax"),
            "numpy": version("numpy"),
            "Python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "device": jax.devices()[0].device_kind,
        },
        command=options.command(rows.name),
    )


def _write(run: report.Run, encoded: Encoded, out: Path) -> None:
    run.model.save(out / MODEL)
    report.write(run, out / REPORT)
    found = {
        **report.figures(run),
        "history": run.history,
        "seconds": run.seconds,
        "rows_a_second": run.rows_a_second,
        "notes": run.notes,
        "settings": run.settings,
        "versions": run.versions,
        "command": run.command,
        "inputs": encoded.names,
        "preparation": encoded.recipe,
    }
    with atomic(out / RESULTS) as temporary:
        temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")


def _introduce(
    screen: Screen,
    options: Options,
    rows: Rows,
    parts: Split,
    model: Sequential,
    batch_size: int,
    notes: list[str],
) -> None:
    kind = f"{len(rows.target.classes)} classes" if rows.target.classes else "regression"
    why = f" ({rows.target.why})" if rows.target.why else ""
    sizes = [math.prod(model.input_shape[1:]), *options.units(), model.output_shape[-1]]
    stratified = ", stratified" if rows.target.classes else ""
    screen.line()
    screen.line(("slipstream train", "bold"), (f"  {rows.name}", "bold cyan"))
    screen.facts(
        {
            "data": rows.title,
            "task": kind + why,
            "rows": f"{len(parts.train):,} training, {len(parts.validation):,} validation, "
            f"{len(parts.test):,} test (seed {options.seed}{stratified})",
            "model": f"{' → '.join(map(str, sizes))}, dropout {options.dropout:g}, "
            f"{model.count_params():,} parameters",
            "training": f"{type(model.optimizer).__name__}, learning rate "
            f"{float(model.optimizer.learning_rate):g}, batches of {batch_size}, "
            f"at most {options.epochs} epochs",
            "device": jax.devices()[0].device_kind,
        }
    )
    for note in notes:
        screen.line(("  ! ", "bold yellow"), note)
    screen.line()


def _conclude(screen: Screen, run: report.Run, out: Path, options: Options) -> None:
    found = report.figures(run)
    scores, between = found["scores"], found["interval"]
    if run.classes is not None:
        low, high = (100 * value for value in between)
        head, share = "test accuracy", 100 * scores["test"]["accuracy"]
        shown = (f"{share:.1f} %", f"95 % interval {low:.1f} to {high:.1f} %")
        each = [f"{name} {100 * score['accuracy']:.1f} %" for name, score in scores.items()]
    else:
        head, shown = "test R²", (
            f"{scores['test']['r2']:.3f}", f"mean absolute error {scores['test']['mae']:.4g}"
        )  # fmt: skip
        each = [f"{name} {score['r2']:.3f}" for name, score in scores.items()]
    total = sum(run.seconds.values())
    screen.line()
    screen.line((f"  {head}  ", "bold"), (shown[0], "bold green"), f"  ({shown[1]})")
    screen.facts(
        {
            "scores": ", ".join(each),
            "epochs": f"{run.epochs}, best {run.best_epoch + 1}; {run.ended}",
            "time": f"{duration(total)}, of it compiling "
            f"{duration(run.seconds.get('compile', 0.0))}; {run.rows_a_second:,.0f} samples/s",
        }
    )
    if run.best_epoch + 1 == options.epochs:
        screen.line(("  ! ", "bold yellow"), f"Still improving: try --epochs {2 * options.epochs}.")
    screen.line()
    screen.line(("  saved in ", "dim"), (str(out), "bold"))
    screen.facts(
        {
            MODEL: "the trained model, weights of the best epoch",
            REPORT: "curves, confusion, mistakes, timing",
            RESULTS: "the same figures for programs",
        }
    )
    screen.line(("  next", "dim"))
    load = f"from slipstream.models import load_model; load_model('{out / MODEL}').summary()"
    for command in (
        f"open {out / REPORT} in a browser",
        f'python -c "{load}"',
        "slipstream train --data FILE.csv --target COLUMN",
    ):
        screen.line("    ", command)
    screen.line()
    if options.quiet:
        print(f"{head} {shown[0]} ({shown[1]}); {out / REPORT}")
