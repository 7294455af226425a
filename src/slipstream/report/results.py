"""The sections of a report that say how well the model does."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.report import charts, pictures
from slipstream.report.markup import Markup, join, tag
from slipstream.report.run import Run

MOST_CLASSES = 25  # up to which the whole confusion matrix is shown
MOST_MISTAKES = 24
MOST_POINTS = 1500
_TITLES = {"loss": "Loss", "accuracy": "Accuracy", "mae": "Mean absolute error"}


def learning_curves(run: Run) -> Markup:
    """Loss and score of training and validation by epoch."""
    names = [name for name in run.history if not name.startswith("val_")]
    shown = []
    for name in sorted(names, key=lambda name: name != "loss"):
        lines = [charts.Line("training", "one", run.history[name])]
        if f"val_{name}" in run.history:
            lines.append(charts.Line("validation", "two", run.history[f"val_{name}"]))
        percent = name == "accuracy"
        title = _TITLES.get(name, name)
        if name == "loss" and run.classes is None:
            title = "Loss (share of the target's variance)"
        shown.append(charts.curves(title, lines, run.best_epoch, percent))
    return section(
        "Learning curves",
        f"{run.epochs} epochs were run; {run.ended}. The model has the weights of epoch "
        f"{run.best_epoch + 1}, the best on the validation rows. Training figures are taken while "
        "the epoch runs and with dropout at work, so they can lie below those of the validation.",
        tag("div", *shown, class_="two"),
    )


def confusion(run: Run, found: dict[str, Any]) -> Markup | None:
    """Who is taken for whom, and precision and recall of each class."""
    if run.classes is None:
        return None
    counts = np.array(found["confusion"])
    if len(run.classes) <= MOST_CLASSES:
        body = _matrix(counts, run.classes)
        hint = "Rows are the true classes, columns what the model said; test rows only."
    else:
        body = _pairs(counts, run.classes)
        hint = f"The most frequent mistakes among {len(run.classes)} classes; test rows only."
    each = [
        [
            row["name"],
            f"{row['rows']:,}",
            _share(row["precision"]),
            _share(row["recall"]),
            join(_share(row["f1"]), _bar(row["f1"])),
        ]
        for row in found["classes"]
    ]
    heads = ["class", "rows", "precision", "recall", "F1"]
    return section(
        "Classes",
        f"{hint} Precision: of the rows given this name, the share that are. Recall: of the rows "
        "that are of this class, the share that were found. F1: their harmonic mean.",
        tag(
            "div",
            tag("div", tag("figcaption", tag("b", "Confusion matrix")), body, class_="scroll"),
            tag(
                "div",
                tag("figcaption", tag("b", "Each class")),
                table(heads, each),
                class_="scroll grow",
            ),
            class_="side",
        ),
    )


def mistakes(run: Run) -> Markup | None:
    """The mistakes the model was surest of, as pictures."""
    if run.classes is None or run.pictures is None:
        return None
    wrong = np.flatnonzero(run.test.predicted != run.test.truth)
    if not len(wrong):
        return section("Mistakes", "There is none: every test picture was named correctly.")
    sure = run.test.outputs[wrong].max(1)
    shown = wrong[np.argsort(-sure, kind="stable")][:MOST_MISTAKES]
    low, high = float(run.pictures.min()), float(run.pictures.max())
    items = [
        tag(
            "figure",
            tag("img", src=pictures.address(run.pictures[i], low, high), loading="lazy",
                alt=f"test picture of {run.classes[run.test.truth[i]]}"),
            tag(
                "figcaption",
                "said ",
                tag("b", run.classes[run.test.predicted[i]]),
                f" ({100 * run.test.outputs[i].max():.0f}\u00a0%)",
                tag("br"),
                tag("span", f"is {run.classes[run.test.truth[i]]}", class_="muted"),
            ),
        )
        for i in shown
    ]  # fmt: skip
    return section(
        "Mistakes",
        f"{len(wrong):,} of {len(run.test):,} test pictures were named wrongly. Here are those it "
        "was surest of.",
        tag("div", *items, class_="mistakes"),
    )


def scatter(run: Run) -> Markup | None:
    """Predicted against actual values, and how the errors are spread."""
    if run.classes is not None:
        return None
    rows = np.arange(len(run.test))
    hint = "Each point is a test row; on the dashed line the prediction is right."
    if len(rows) > MOST_POINTS:
        rows = np.random.default_rng(0).choice(rows, MOST_POINTS, replace=False)
        hint = f"{MOST_POINTS:,} of {len(run.test):,} test rows, drawn at random. " + hint
    off = np.abs(run.test.truth - run.test.outputs).astype(np.float64)
    spread = [
        [f"{share} % of the rows", f"at most {quantity(float(np.percentile(off, share)))}"]
        for share in (50, 75, 90, 95, 100)
    ]
    return section(
        "Predictions",
        hint,
        tag(
            "div",
            charts.scatter(run.test.truth[rows].tolist(), run.test.outputs[rows].tolist()),
            tag("figure", tag("figcaption", tag("b", "Size of the errors")),
                table(["", "error"], spread)),
            class_="two",
        ),
    )  # fmt: skip


def _matrix(counts: np.ndarray, names: list[str]) -> Markup:
    rows = []
    for i, name in enumerate(names):
        total = max(int(counts[i].sum()), 1)
        cells = []
        for j, count in enumerate(counts[i].tolist()):
            share = count / total
            kind = "hit" if i == j else "miss"
            # Few mistakes must still be seen, so their tone grows with the root of the share.
            tone = share if i == j else min(1.0, 0.12 + share**0.5) if count else 0.0
            full = " full" if tone > 0.55 else ""
            tip = f"{count:,} of {total:,} {name}: said {names[j]}"
            cells.append(
                tag("td", f"{count:,}" if count else "·", title=tip, style=f"--v:{0.9 * tone:.2f}",
                    class_=f"{kind}{full}" if count else "none")
            )  # fmt: skip
        rows.append(tag("tr", tag("th", tag("span", name, title=name), scope="row"), *cells))
    head = [tag("th", tag("span", name, title=name), scope="col") for name in names]
    tall = " tall" if max(map(len, names)) > 5 else ""
    return tag(
        "table",
        tag("thead", tag("tr", tag("th", "true ↓", tag("br"), "said →"), *head)),
        tag("tbody", *rows),
        class_=f"matrix{tall}",
    )


def _pairs(counts: np.ndarray, names: list[str]) -> Markup:
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:20]
    found = [(int(k) // len(names), int(k) % len(names)) for k in order]
    rows = [[names[i], names[j], f"{wrong[i, j]:,}"] for i, j in found if wrong[i, j]]
    return table(["is", "said", "test rows"], rows)


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)


def _bar(value: float | None) -> Markup:
    return tag("i", class_="bar", style=f"--w:{100 * (value or 0):.0f}%")


def section(title: str, hint: str, *children: Markup) -> Markup:
    """A titled box with an explanation."""
    return tag("section", tag("h2", title), tag("p", hint, class_="hint"), *children)


def table(heads: list[str], rows: list[list[Any]], style: str = "wide") -> Markup:
    """A table of texts."""
    return tag(
        "table",
        tag("thead", tag("tr", *(tag("th", head) for head in heads))),
        tag("tbody", *(tag("tr", *(tag("td", cell) for cell in row)) for row in rows)),
        class_=style,
    )


def percent(share: float) -> str:
    """``0.9583`` as ``95.8 %``."""
    return f"{100 * share:.1f} %"


def quantity(value: float) -> str:
    """A number in three or four figures."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
