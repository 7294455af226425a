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

import jax

from slipstream import callbacks, report
from slipstream.cli import network, plan, talk
from slipstream.cli.epochs import Epochs
from slipstream.cli.options import Options
from slipstream.cli.plan import Plan
from slipstream.cli.problem import Problem
from slipstream.cli.screen import Screen
from slipstream.cli.talk import MODEL, REPORT, RESULTS
from slipstream.models.saving import atomic


def train(options: Options) -> int:
    """Train, save and report; give the command's exit code.

    Raises:
        Problem: if the options or the data are of no use.
    """
    options.check()
    planned = plan.make(options)
    out = _folder(options)
    screen = Screen(options.quiet)
    talk.introduce(screen, planned)
    best_epoch, ended = _fit(planned, screen)
    run = _run(planned, best_epoch, ended)
    _write(run, planned, out)
    talk.conclude(screen, planned, run, out)
    return 130 if planned.model.interrupted else 0


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


def _fit(planned: Plan, screen: Screen) -> tuple[int, str]:
    """Train; give the number of the best epoch, and why training ended."""
    options, parts, model = planned.options, planned.parts, planned.model
    x, y = planned.encoded.x, planned.rows.target.y
    stopper = callbacks.EarlyStopping(
        "val_loss", patience=options.patience, mode="min", restore_best_weights=True
    )
    with _hushed():
        model.fit(
            x[parts.train],
            y[parts.train],
            batch_size=planned.batch_size,
            epochs=options.epochs,
            verbose=0,
            validation_data=(x[parts.validation], y[parts.validation]),
            callbacks=[stopper, Epochs(screen, planned.score, len(parts.train))],
        )
    if stopper.best is not None and not math.isfinite(stopper.best):
        raise Problem(
            "The loss is no finite number any more: the steps are too large. Pass a smaller "
            "--learning-rate.",
            code=1,
        )
    if model.interrupted:
        return stopper.best_epoch, "it was interrupted"
    if stopper.stopped_epoch:
        return stopper.best_epoch, f"the validation loss stood still for {options.patience} epochs"
    return stopper.best_epoch, "that is as many as were asked for"


@contextmanager
def _hushed() -> Iterator[None]:
    """Without the warning that an interrupted epoch has no validation figures."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="EarlyStopping finds no")
        yield


def _run(planned: Plan, best_epoch: int, ended: str) -> report.Run:
    """What the report is made from."""
    rows, model, options = planned.rows, planned.model, planned.options
    seconds = dict(model.last_run)
    outputs = model.predict(planned.encoded.x, verbose=0)
    if rows.target.classes is None:
        outputs = outputs.reshape(len(outputs))
    training, validation, test = (
        report.Part(rows.target.y[numbers], outputs[numbers]) for numbers in planned.parts
    )
    epochs = int(model.optimizer.iterations) / math.ceil(len(training) / planned.batch_size)
    pictures = planned.encoded.x[planned.parts.test]
    assert model.history is not None
    train = planned.parts.train[: planned.batch_size]
    layers = model.speed(planned.encoded.x[train], rows.target.y[train], planned.batch_size)
    return report.Run(
        name=rows.name,
        title=rows.title,
        source=rows.source,
        licence=rows.licence,
        classes=rows.target.classes,
        training=training,
        validation=validation,
        test=test,
        model=model,
        history=model.history.history,
        best_epoch=best_epoch,
        ended=ended,
        seconds=seconds,
        rows_a_second=epochs * len(training) / max(seconds.get("train", 0.0), 1e-9),
        pictures=pictures if network.is_image(pictures.shape[1:]) else None,
        notes=planned.notes,
        settings=_settings(planned),
        versions={
            "slipstream": version("slipstream"),
            "jax": version("jax"),
            "numpy": version("numpy"),
            "Python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "device": jax.devices()[0].device_kind,
        },
        command=options.command(rows.name),
        speed=model.history.speed,
        layers=layers,
        quality=planned.quality,
    )


def _settings(planned: Plan) -> dict[str, str]:
    options, model = planned.options, planned.model
    return {
        "hidden layers": ", ".join(map(str, options.units())) or "none",
        "dropout": f"{options.dropout:g}",
        "optimizer": type(model.optimizer).__name__,
        "learning rate": f"{float(model.optimizer.learning_rate):g}",
        "batch size": str(planned.batch_size),
        "epochs at most": str(options.epochs),
        "patience": f"{options.patience} epochs",
        "seed": str(options.seed),
        "training / validation / test": " / ".join(f"{len(part):,}" for part in planned.parts),
        "stratified by class": "yes" if planned.rows.target.classes else "no",
    }


def _write(run: report.Run, planned: Plan, out: Path) -> None:
    run.model.save(out / MODEL)
    report.write(run, out / REPORT)
    found = {
        **report.figures(run),
        "history": run.history,
        "seconds": run.seconds,
        "rows_a_second": run.rows_a_second,
        "speed": run.speed,
        "layers": None if run.layers is None else run.layers.to_dict(),
        "notes": run.notes,
        "findings": [
            {"kind": each.kind, "text": each.text, "remedy": each.remedy, "grave": each.grave}
            for each in planned.quality.findings
        ],
        "settings": run.settings,
        "versions": run.versions,
        "command": run.command,
        "inputs": planned.encoded.names,
        "preparation": planned.encoded.recipe,
    }
    with atomic(out / RESULTS) as temporary:
        temporary.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
