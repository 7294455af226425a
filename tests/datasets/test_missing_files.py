"""What is told of a set whose files are not there."""

import re
from dataclasses import replace

import pytest

from slipstream import datasets


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["a"], "put a into"),
        (["a", "b", "c", "d"], "put a and b and c and d into"),
        (
            [f"{number}.wav" for number in range(50)],
            "put 0.wav, 1.wav, 2.wav and 47 more files into",
        ),
    ],
)
def test_many_files_are_counted(files, told, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    entry = replace(datasets.entries()[0], files=tuple(files), places=list)
    with pytest.raises(FileNotFoundError, match=re.escape(told)) as caught:
        entry.load()
    assert len(str(caught.value)) < 600
