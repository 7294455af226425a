"""What the page on files promises: the tests it names exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_tests_that_the_page_names_exist():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "saving.md").read_text()))
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert named
    assert named <= set(re.findall(r"def (test_\w+)", source))
