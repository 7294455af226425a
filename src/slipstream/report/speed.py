"""The section of a report that says how close the run came to the machine's limit."""

from __future__ import annotations

from slipstream.report.markup import Markup, tag
from slipstream.report.results import section, table
from slipstream.report.run import Run
from slipstream.speed.picture import svg
from slipstream.speed.split import sentence
from slipstream.speed.table import Speed, figures
from slipstream.speed.words import percent, span

_WHAT = {
    "compute": "arithmetic: the processor's peak",
    "memory": "moving data: the bandwidth of memory",
    "dispatch": "starting operations, each of which has little to do",
    "input": "waiting for data",
    "callbacks": "callbacks",
    "compile": "compiling; a second run finds the programs on disk",
    "validation": "judging the validation rows",
}


def speed(run: Run) -> Markup | None:
    """Share, bound and gain of the run, and a table of the layers; None where nothing is known."""
    if not run.speed:
        return None
    found = run.speed
    share = found["share"]
    facts = [
        ["training samples a second", f"{found['samples_per_second']:,.0f}"],
        ["of this machine's limit", "not measured" if share is None else percent(share)],
        ["bound by", _WHAT.get(found["bound"], found["bound"])],
    ]
    if found["train_share"] is not None:
        facts.insert(2, ["training steps alone", percent(found["train_share"])])
    if found["gain"] is not None:
        gain = found["gain"]
        facts.append(
            ["most to gain", f"{gain['name']}: {span(gain['seconds'])} of {span(found['seconds'])}"]
        )
    children = [
        tag("table", tag("tbody", *(tag("tr", *map(_cell, row)) for row in facts)), class_="wide")
    ]
    if run.layers is not None:
        children += [tag("p"), *_layers(run.layers)]
    hint = (
        sentence(found).removeprefix("Speed: ")
        + ". The limit is the time that the run's arithmetic and memory traffic take at this "
        "machine's measured peak."
    )
    return section("How fast it could be", hint, *children)


def _layers(found: Speed) -> list[Markup]:
    """Every layer by itself, and the whole; the roofline below."""
    rows = [[name, which, *figures(each)] for name, which, each in found.lines()]
    heads = ["layer", "pass", "operations", "bytes", "limit", "measured", "share", "bound by"]
    picture = svg(found).replace(' xmlns="http://www.w3.org/2000/svg"', "")
    return [
        tag("div", table(heads, rows), class_="scroll"),
        *(tag("p", note, class_="hint") for note in found.notes()),
        tag("div", Markup(picture), class_="scroll"),
    ]


def _cell(text: str) -> Markup:
    return tag("td", text)
