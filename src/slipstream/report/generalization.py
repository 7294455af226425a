"""The sections of a report on how far what was learned holds elsewhere, and on the data."""

from __future__ import annotations

from typing import Any

from slipstream.report import charts
from slipstream.report.gap import FEW, gaps
from slipstream.report.markup import Markup, tag
from slipstream.report.results import percent, quantity, section, table
from slipstream.report.run import Run

_NAMES = {"accuracy": "Accuracy", "loss": "Loss", "r2": "R²", "mae": "Mean absolute error"}


def generalization(run: Run, found: dict[str, Any]) -> Markup:
    """Scores of training, validation and test side by side, and the gaps between them."""
    classes = run.classes is not None
    heads = ("accuracy", "loss") if classes else ("R²", "mean absolute error")
    rows = []
    for name in run.parts:
        score = found["scores"][name]
        cells = (
            (percent(score["accuracy"]), f"{score['loss']:.4f}")
            if classes
            else (f"{score['r2']:.3f}", quantity(score["mae"]))
        )
        rows.append([name, f"{found['rows'][name]:,}", *cells])
    gap = 100 * found["gap"] if classes else found["gap"]
    text = (
        f"On training rows it is {abs(gap):.1f} points {'better' if gap >= 0 else 'worse'} than on "
        "test rows. "
        if classes
        else f"R² on training rows is {abs(gap):.3f} {'above' if gap >= 0 else 'below'} that on "
        "test rows. "
    )
    text += (
        "The larger this gap, the more the model has learned the rows by heart; more data, more "
        "dropout or a smaller network narrow it. Test rows were used for nothing else."
    )
    return section("Generalization", text, table(["part", "rows", *heads], rows), *_gaps(run))


def _gaps(run: Run) -> list[Markup]:
    """The gap in each measure to validation and test rows, with intervals."""
    each = {
        name: gaps(run.training, part) for name, part in run.parts.items() if name != "training"
    }
    shown, rows = [], []
    for measures in zip(*each.values()):
        known = [(name, gap) for name, gap in zip(each, measures) if gap.low is not None]
        measure = measures[0].name
        factor, unit = (100, " pts") if measure == "accuracy" else (1, "")
        if known:
            bars = [
                charts.Interval(name, factor * gap.value, factor * gap.low, factor * gap.high)
                for name, gap in known
            ]
            shown.append(charts.intervals(f"Gap in {_NAMES[measure].lower()}{unit}", bars))
        for name, gap in zip(each, measures):
            between = "–"
            if gap.low is not None and gap.high is not None:
                between = f"{factor * gap.low:.3g} to {factor * gap.high:.3g}{unit}"
            value = f"{factor * gap.value:.3g}{unit}"
            rows.append([f"{_NAMES[measure]}, {name}", value, between, gap.verdict])
    hint = (
        "Gap: how much better the model is on its training rows than on others (above 0: better). "
        "Its interval holds the gap to all rows like these in 19 cases of 20. The epoch was chosen "
        "by the validation rows, so the test rows are the better judge."
    )
    fewest = min(len(part) for name, part in run.parts.items() if name != "training")
    if fewest < FEW:
        hint += f" With only {fewest} rows it is rough."
    heads = ["gap", "", "95 % interval", "verdict"]
    return [
        tag("p", hint, class_="hint", style="margin-top:18px"),
        tag("div", *shown, class_="two"),
        tag("div", table(heads, rows), class_="scroll"),
    ]


def data_check(run: Run) -> Markup | None:
    """What a check of the data found, with a remedy each."""
    if run.quality is None:
        return None
    looked = f"{run.quality.rows:,} training rows were looked through"
    if run.quality.ok:
        return section("Data check", f"{looked}: nothing was found.")
    rows = [
        [tag("b", each.text) if each.grave else each.text, each.remedy]
        for each in run.quality.findings
    ]
    body = tag(
        "table",
        tag("thead", tag("tr", tag("th", "found"), tag("th", "remedy"))),
        tag(
            "tbody", *(tag("tr", *(tag("td", cell, class_="text") for cell in row)) for row in rows)
        ),
        class_="wide",
    )
    return section("Data check", f"{looked}. What may spoil the results stands first.", body)
