"""The words around a training: what is about to happen, and what came of it."""

from __future__ import annotations

import math
from pathlib import Path

import jax

from slipstream import report
from slipstream.cli.plan import Plan
from slipstream.cli.screen import Screen
from slipstream.speed.split import sentence
from slipstream.training.progress import duration

MODEL, REPORT, RESULTS = "model.keras", "report.html", "results.json"


def introduce(screen: Screen, plan: Plan) -> None:
    """Say what is trained on what."""
    rows, options, parts, model = plan.rows, plan.options, plan.parts, plan.model
    classes = rows.target.classes
    sizes = [math.prod(model.input_shape[1:]), *options.units(), model.output_shape[-1]]
    screen.line()
    screen.line(("slipstream train", "bold"), (f"  {rows.name}", "bold cyan"))
    screen.facts(
        {
            "data": rows.title,
            "task": (f"{len(classes)} classes" if classes else "regression")
            + (f" ({rows.target.why})" if rows.target.why else ""),
            "rows": f"{len(parts.train):,} training, {len(parts.validation):,} validation, "
            f"{len(parts.test):,} test{' as the makers chose' if rows.held_out else ''} "
            f"(seed {options.seed}{', stratified' if classes else ''})",
            "model": f"{' → '.join(map(str, sizes))}, dropout {options.dropout:g}, "
            f"{model.count_params():,} parameters",
            "training": f"{type(model.optimizer).__name__}, learning rate "
            f"{float(model.optimizer.learning_rate):g}, batches of {plan.batch_size}, "
            f"at most {options.epochs} epochs",
            "device": jax.devices()[0].device_kind,
        }
    )
    for note in plan.notes:
        screen.line(("  ! ", "bold yellow"), note)
    for found in plan.quality.findings:
        screen.line(("  ! " if found.grave else "  - ", "bold yellow"), found.text)
        screen.line((f"    {found.remedy}", "dim"))
    screen.line()


def conclude(screen: Screen, plan: Plan, run: report.Run, out: Path) -> None:
    """Say how good the model is, what was saved, and what to do next."""
    found = report.figures(run)
    scores = found["scores"]
    if run.classes is not None:
        low, high = (100 * value for value in found["interval"])
        head, shown = "test accuracy", f"{100 * scores['test']['accuracy']:.1f} %"
        more = f"95 % interval {low:.1f} to {high:.1f} %"
        each = [f"{name} {100 * score['accuracy']:.1f} %" for name, score in scores.items()]
    else:
        head, shown = "test R²", f"{scores['test']['r2']:.3f}"
        more = f"mean absolute error {scores['test']['mae']:.4g}"
        each = [f"{name} {score['r2']:.3f}" for name, score in scores.items()]
    if plan.options.quiet:
        print(f"{head} {shown} ({more}); {out / REPORT}")
        return
    screen.line()
    screen.line((f"  {head}  ", "bold"), (shown, "bold green"), f"  ({more})")
    screen.facts(
        {
            "scores": ", ".join(each),
            "epochs": f"{run.epochs}, best {run.best_epoch + 1}; {run.ended}",
            "time": f"{duration(sum(run.seconds.values()))}, of it compiling "
            f"{duration(run.seconds.get('compile', 0.0))}; {run.rows_a_second:,.0f} samples/s",
            **({"speed": sentence(run.speed).removeprefix("Speed: ")} if run.speed else {}),
        }
    )
    most = plan.options.epochs
    if run.best_epoch + 1 == most:
        screen.line(("  ! ", "bold yellow"), f"Still improving: try --epochs {2 * most}.")
    screen.line()
    screen.line(("  saved in ", "dim"), (str(out), "bold"))
    screen.facts(
        {
            MODEL: "the trained model, with the weights of the best epoch",
            REPORT: "figures, curves, mistakes, timing: open it in a browser",
            RESULTS: "the same figures for programs",
        }
    )
    load = f"from slipstream.models import load_model; load_model('{out / MODEL}').summary()"
    screen.line(("  next", "dim"))
    screen.line("    ", f'python -c "{load}"')
    screen.line("    slipstream train --data FILE.csv --target COLUMN")
    screen.line("    slipstream datasets")
    screen.line()
