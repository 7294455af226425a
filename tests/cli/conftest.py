"""The command in this process."""

from __future__ import annotations

import sys

import pytest

from slipstream.cli import main


@pytest.fixture
def slipstream(monkeypatch, capsys):
    """A function that runs the command and gives exit code, output and errors."""

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["slipstream", *map(str, words)])
        with pytest.raises(SystemExit) as caught:
            main.main()
        shown = capsys.readouterr()
        return caught.value.code or 0, shown.out, shown.err

    return run
