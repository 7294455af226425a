"""The page: whole, self-contained, and safe whatever the data are called."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from report_runs import classification, measured, regression

from slipstream.report import figures, render, write

EVIL = '<script>alert("1")</script>'
VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Collects tags, attributes and the text of a page, and checks that tags are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


RUNS = {
    "classes": classification(),
    "measured": measured(),
    "values": regression(),
    "perfect": classification(test=None),
    "many classes": classification([f"kind {i}" for i in range(30)]),
    "two classes": classification(("no", "yes"), images=False),
    "colour": classification(
        pictures=np.random.default_rng(0).normal(size=(60, 5, 5, 3)).astype(np.float32)
    ),
}
RUNS["perfect"].test = RUNS["perfect"].training
RUNS["perfect"].test.outputs = np.eye(3, dtype=np.float32)[RUNS["perfect"].test.truth]


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
def test_a_page_needs_nothing_from_outside(run):
    page = render(run)
    for tag, attributes in Page(page).tags:
        assert tag not in ("script", "link", "iframe", "object", "base")
        assert attributes.get("src", "data:image/png;base64,").startswith("data:image/png;base64,")
        assert not {"href", "srcset"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert "@import" not in page and "url(" not in page and "http" not in page


def test_it_shows_the_figures_of_the_run():
    run = classification()
    found = figures(run)
    text = Page(render(run)).text
    low, high = (100 * value for value in found["interval"])
    accuracy = 100 * found["scores"]["test"]["accuracy"]
    for wanted in (
        f"{accuracy:.1f} %",
        f"{low:.1f} to {high:.1f} %",
        f"{100 * found['gap']:.1f} pts",
        "best epoch 3",
        "12,345 rows a second",
        "it was interrupted",
        "5.000 s",
        "slipstream train --data pets",
    ):
        assert wanted in text


def test_it_says_how_fast_the_run_could_have_been():
    text = Page(render(measured())).text
    assert "How fast it could be" in text and "How fast" not in Page(render(classification())).text
    assert "20 %" in text and "72 samples/s" in text  # 1 s of arithmetic in 5 s, 360 rows
    assert "faster steps: 2 s of 5 s" in text and "arithmetic: the processor's peak" in text
    assert "<dense> (Dense) × 2" in text and "40 %" in text  # 40 µs of 100 µs
    assert "step: 100 FLOPs counted from the model, 50 FLOPs by the compiler (+100%)." in text


def test_the_matrix_holds_every_count():
    run = classification()
    page = Page(render(run))
    titles = [a["title"] for tag, a in page.tags if tag == "td" and "said" in a.get("title", "")]
    table = np.array(figures(run)["confusion"])
    assert len(titles) == 9 and table.sum() == 60
    for i, true in enumerate(run.classes):
        for j, said in enumerate(run.classes):
            assert f"{table[i, j]} of {table[i].sum()} {true}: said {said}" in titles


def test_mistakes_are_those_it_was_surest_of():
    run = classification()
    wrong = np.flatnonzero(run.test.predicted != run.test.truth)
    sure = sorted((100 * run.test.outputs[wrong].max(1)).round().astype(int), reverse=True)
    page = Page(render(run))
    assert sum(tag == "img" for tag, _ in page.tags) == min(len(wrong), 24) > 3
    shown = [int(found) for found in re.findall(r"\((\d+)\s%\)", page.text)]
    assert shown == sure[:24]
    assert "There is none" in Page(render(RUNS["perfect"])).text
    assert not [tag for tag, _ in Page(render(RUNS["perfect"])).tags if tag == "img"]


def test_a_regression_has_a_scatter_and_no_matrix():
    page = Page(render(regression()))
    points = [a for tag, a in page.tags if tag == "circle" and a["class"] == "point"]
    assert len(points) == 60
    assert "Confusion" not in page.text and "Predicted against actual" in page.text


@pytest.mark.filterwarnings("ignore:Data check")
def test_it_shows_what_fit_found_in_the_data():
    run = classification()
    assert "Data check" not in Page(render(run)).text
    x = np.random.default_rng(0).normal(size=(90, 5, 5)).astype("f")
    run.model.compile("sgd", "sparse_categorical_crossentropy")
    run.model.fit(
        x,
        run.training.truth,
        validation_data=(x[:7], run.training.truth[:7]),
        verbose=0,
        check=True,
    )
    text = Page(render(classification(model=run.model))).text
    assert "90 training rows were looked through" in text
    assert "7 of 7 validation rows (100 %) are among the training rows too." in text
    assert "split again without duplicates" in text


@pytest.mark.parametrize("field", ["name", "title", "source", "licence", "ended", "command"])
def test_text_is_escaped(field):
    page = render(classification(**{field: EVIL}))
    assert EVIL in Page(page).text and EVIL not in page


def test_names_from_the_data_are_escaped():
    run = classification(
        (EVIL, '"><img src=x onerror=alert(1)>', "&amp;"),
        notes=[EVIL],
        settings={EVIL: EVIL},
        versions={EVIL: EVIL},
    )
    run.history[EVIL] = [1.0, 2.0]
    run.seconds[EVIL] = 1.0
    page = render(run)
    parsed = Page(page)
    assert EVIL not in page and "<img src=x" not in page
    assert not [tag for tag, a in parsed.tags if tag == "script" or "onerror" in a]
    assert "&amp;" in parsed.text  # shown as it is, not as an ampersand


def test_writing_leaves_nothing_else_behind(tmp_path):
    target = tmp_path / "report.html"
    target.write_text("old")
    write(classification(), target)
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
