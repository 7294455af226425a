"""The Python of every page runs, block after block, and its links lead somewhere.

A block that starts with ``>>>`` is checked as a session, in which ``…`` stands for anything. A
comment before a block, ``<!-- long -->`` or ``<!-- needs: PACKAGE -->``, holds it back.
"""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# What a page takes for granted.
GIVEN = {
    "README.md": """
import numpy as np
x_train = np.random.default_rng(0).normal(size=(100, 100))
y_train = (x_train[:, 0] > 0).astype(int)
"""
}
FENCED = re.compile(
    r"(?:<!-- (?P<mark>[^\n]*) -->\n+)?```(?P<kind>\w*)\n(?P<code>.*?)^```", re.M | re.S
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)[^)]*\)")


class Block(NamedTuple):
    """Code of a page."""

    line: int
    code: str
    mark: str


def blocks(page: Path) -> list[Block]:
    """The page's blocks of Python, in order."""
    text = page.read_text()
    return [
        Block(text.count("\n", 0, found.start("code")) + 1, found["code"], found["mark"] or "")
        for found in FENCED.finditer(text)
        if found["kind"] == "python"
    ]


def run(page: Path, with_long: bool) -> None:
    """Run a page's blocks in one namespace."""
    namespace = {"__name__": page.stem}
    exec(GIVEN.get(page.name, ""), namespace)
    for block in blocks(page):
        package = block.mark.removeprefix("needs: ") if block.mark.startswith("needs") else None
        if (block.mark == "long" and not with_long) or (
            package and importlib.util.find_spec(package) is None
        ):
            continue
        if block.code.startswith(">>>"):
            check_session(page, block, namespace)
        else:  # lines as on the page, for the traceback
            exec(compile("\n" * (block.line - 1) + block.code, str(page), "exec"), namespace)


def check_session(page: Path, block: Block, namespace: dict) -> None:
    """Run a session and compare what it shows."""
    code = block.code.replace("…", "...")
    test = doctest.DocTestParser().get_doctest(code, namespace, page.name, str(page), block.line)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(test, out=said.append, clear_globs=False)
    assert runner.failures == 0, "".join(said)


WITH_CODE = [page for page in PAGES if blocks(page)]
WITH_LONG = [page for page in WITH_CODE if any(block.mark == "long" for block in blocks(page))]


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, with_long=False)


@pytest.mark.long
@pytest.mark.parametrize("page", WITH_LONG, ids=lambda page: page.name)
def test_long_code_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(page, with_long=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]
    assert not missing


def test_blocks_are_found_with_their_marks():
    text = "a\n<!-- long -->\n```python\nx = 1\n```\n\n```sh\nls\n```\n\n```python\ny\n```\n"
    found = [(m["mark"], m["kind"], m["code"]) for m in FENCED.finditer(text)]
    assert found == [("long", "python", "x = 1\n"), (None, "sh", "ls\n"), (None, "python", "y\n")]
