"""The sections of a report that say what the model is and what it took."""

from __future__ import annotations

from collections.abc import Mapping

from slipstream.models import summary
from slipstream.report import charts
from slipstream.report.markup import Markup, join, tag
from slipstream.report.results import section, table
from slipstream.report.run import Run

PARTS = {
    "train": "training steps",
    "compile": "making machine code of the model (kept on disk: the next run is quicker)",
    "validate": "judging each epoch on the validation rows",
    "data": "making and moving batches",
    "callbacks": "progress, early stopping, keeping the best weights",
    "build": "creating weights, checking data",
    "other": "everything else",
}


def architecture(run: Run) -> Markup:
    """The layers with their shapes, parameters and operations."""
    layers = summary.rows(run.model)
    rows = [
        [f"{row['name']} ({row['class']})", str(tuple(row["shape"])), f"{row['params']:,}",
         summary.quantity(row["flops"]), summary.quantity(4 * row["params"] + row["bytes"], "B")]
        for row in layers
    ]  # fmt: skip
    params = sum(row["params"] for row in layers)
    flops = sum(row["flops"] for row in layers)
    return section(
        "Model",
        f"{params:,} parameters ({summary.quantity(4 * params, 'B')}); "
        f"{summary.quantity(flops)} operations for one row, forward. Memory counts the parameters "
        "and one row's output.",
        tag(
            "div",
            table(["layer", "output shape", "parameters", "operations", "memory"], rows),
            class_="scroll",
        ),
    )


def time(run: Run) -> Markup:
    """Where the seconds went; the pieces add up to the whole."""
    seconds = run.seconds
    total = sum(seconds.values())
    order = sorted(seconds, key=lambda name: (name == "other", -seconds[name]))
    colours = {name: f"p{i}" for i, name in enumerate(PARTS)}
    rows = [
        tag(
            "tr",
            tag("td", tag("i", class_=f"swatch {colours.get(name, 'p6')}"), name),
            tag("td", PARTS.get(name, ""), class_="text muted"),
            tag("td", f"{seconds[name]:.3f} s"),
            tag("td", f"{100 * seconds[name] / total:.1f} %" if total else "–"),
        )
        for name in order
    ]
    rows.append(
        tag("tr", tag("td", "total"), tag("td"), tag("td", f"{total:.3f} s"), tag("td", "100 %"),
            class_="total")
    )  # fmt: skip
    return section(
        "Where the time went",
        f"Training took {total:.1f} s. While it ran, {run.rows_a_second:,.0f} rows a second went "
        "through the model.",
        charts.stacked([(name, seconds[name], colours.get(name, "p6")) for name in order]),
        tag("div", tag("table", tag("tbody", *rows), class_="wide"), class_="scroll"),
    )


def provenance(run: Run) -> Markup:
    """Data, settings and versions, and the command that repeats the run."""
    data = {"name": run.name, "contents": run.title, "source": run.source, "licence": run.licence}
    return join(
        section(
            "Settings and versions",
            "With the same data, settings and versions on the same kind of machine the result is "
            "the same.",
            tag(
                "div",
                tag("div", _titled("Data", data), tag("p"), _titled("Versions", run.versions)),
                _titled("Settings", run.settings),
                class_="two",
            ),
            *([tag("p"), tag("pre", run.command)] if run.command else []),
        )
    )  # fmt: skip


def _titled(title: str, pairs: Mapping[str, object]) -> Markup:
    rows = [
        tag("tr", tag("td", name), tag("td", str(value), class_="text"))
        for name, value in pairs.items()
        if value not in ("", None)
    ]
    return tag(
        "figure",
        tag("figcaption", tag("b", title)),
        tag("table", tag("tbody", *rows), class_="wide"),
    )
