"""A report as one HTML file that needs no network."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from slipstream.models.saving import atomic
from slipstream.report import charts, cost, generalization, results, speed
from slipstream.report.figures import figures
from slipstream.report.markup import Markup, tag
from slipstream.report.results import percent, quantity
from slipstream.report.run import Run
from slipstream.report.style import SHEET


def write(run: Run, path: Path) -> None:
    """Write the report to a file; a file that was there stays whole until the new one is."""
    with atomic(path) as temporary:
        temporary.write_text(render(run), encoding="utf-8")


def render(run: Run) -> str:
    """The report as HTML. Names that come from data are escaped."""
    found = figures(run)
    body = [
        _header(run, found),
        _cards(run, found),
        _notes(run),
        generalization.data_check(run),
        results.learning_curves(run),
        results.scatter(run),
        generalization.generalization(run, found),
        results.confusion(run, found),
        results.mistakes(run),
        cost.time(run),
        speed.speed(run),
        cost.architecture(run),
        cost.provenance(run),
        tag("footer", f"Written by Slipstream on {datetime.now():%Y-%m-%d at %H:%M}."),
    ]
    page = tag(
        "html",
        tag(
            "head",
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"{run.name} · Slipstream report"),
            tag("style", Markup(SHEET)),
        ),
        tag("body", tag("main", *body)),
        lang="en",
    )
    return f"<!doctype html>\n{page}\n"


def _header(run: Run, found: dict[str, Any]) -> Markup:
    if run.classes is not None:
        lead = (
            f"Of {len(run.test):,} test rows, which training never saw, "
            f"{percent(found['scores']['test']['accuracy'])} were named correctly. Always naming "
            f"the commonest class would give {percent(found['baseline'])}."
        )
    else:
        lead = (
            f"On {len(run.test):,} test rows, which training never saw, predictions are off by "
            f"{quantity(found['scores']['test']['mae'])} on average. Always naming the mean would "
            f"be off by {quantity(found['baseline'])}."
        )
    return tag(
        "header",
        tag("p", f"Slipstream report · {found['task']}", class_="eyebrow"),
        tag("h1", run.name),
        tag("p", run.title, class_="muted"),
        tag("p", lead, class_="lead", style="margin-top:14px"),
    )


def _cards(run: Run, found: dict[str, Any]) -> Markup:
    gap, rows = found["gap"], found["rows"]
    total = sum(run.seconds.values())
    classes = run.classes is not None
    cards = [
        (
            "Generalization gap",
            f"{100 * gap:.1f} pts" if classes else f"{gap:.3f}",
            f"training less test {'accuracy' if classes else 'R²'}{_between(found, classes)}",
        ),
        ("Epochs", str(run.epochs), f"best: epoch {run.best_epoch + 1}"),
        ("Training time", f"{total:.1f} s", f"compiling {run.seconds.get('compile', 0):.1f} s"),
        ("Speed", _short(run.rows_a_second), "training rows a second"),
        ("Rows", f"{sum(rows.values()):,}", f"{rows['training']:,} of them for training"),
        ("Parameters", _short(run.model.count_params()), "in the model"),
    ]
    return tag(
        "div",
        _main_card(run, found),
        *(
            tag("div", tag("span", name), tag("b", value), tag("span", more), class_="card")
            for name, value, more in cards
        ),
        class_="cards",
    )


def _between(found: dict[str, Any], classes: bool) -> str:
    gap = found["gaps"]["test"][0]
    if gap["low"] is None:
        return ""
    low, high = (100 * gap[end] if classes else gap[end] for end in ("low", "high"))
    digits = 1 if classes else 3
    return f", 95 % interval {low:.{digits}f} to {high:.{digits}f}"


def _main_card(run: Run, found: dict[str, Any]) -> Markup:
    test, between = found["scores"]["test"], found["interval"]
    if run.classes is not None:
        low, high = between
        return tag(
            "div",
            tag("span", "Test accuracy"),
            tag("b", percent(test["accuracy"])),
            tag("span", f"95 % interval {100 * low:.1f} to {percent(high)}"),
            charts.gauge(test["accuracy"], low, high, found["baseline"]),
            tag("span", f"thin mark: {percent(found['baseline'])}, the commonest class"),
            class_="card main",
        )
    shown = "" if between is None else f" ({quantity(between[0])} to {quantity(between[1])})"
    return tag(
        "div",
        tag("span", "Test R²"),
        tag("b", f"{test['r2']:.3f}"),
        tag("span", f"mean absolute error {quantity(test['mae'])}{shown}"),
        charts.gauge(max(test["r2"], 0.0), 0.0, max(test["r2"], 0.0), 0.0),
        class_="card main",
    )


def _notes(run: Run) -> Markup | None:
    if not run.notes:
        return None
    return tag(
        "section", tag("h2", "To know about these data"),
        tag("ul", *(tag("li", note) for note in run.notes)), class_="notes",
    )  # fmt: skip


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            unit = 1e3 if letter == "k" else size
            return f"{value / unit:.3g} {letter}"
    return f"{value:,.0f}"
