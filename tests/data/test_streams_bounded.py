"""Caches on disk stay below a bound; those in use, and the newest, are left."""

import os
import subprocess
import sys

import numpy as np
import pytest

from slipstream.data import read
from slipstream.data.streams import bounded, text_tables

SIZE = 100_000  # values of a file, 4 bytes each


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "streams"


@pytest.fixture
def paths(tmp_path):
    made = [tmp_path / f"{number}.npy" for number in range(4)]
    for number, path in enumerate(made):
        np.save(path, np.full((SIZE, 1), number, "float32"))
    return made


def kept(path):
    """The first value of a file, by way of its cache, and the file of that."""
    before = set(bounded.config.cache_dir().glob("streams/*.arrow"))
    stream = read(path).cached()
    (new,) = set(bounded.config.cache_dir().glob("streams/*.arrow")) - before or [None]
    return float(next(iter(stream))[0, 0]), new


def aged(path, hours):
    """As if it had been used last so many hours ago."""
    state = path.stat()
    os.utime(path, (state.st_atime - 3600 * hours, state.st_mtime))


def test_the_ones_used_the_longest_ago_go_first(cache, paths, monkeypatch):
    files = [kept(path)[1] for path in paths[:3]]
    for hours, file in zip((3, 2, 1), files):
        aged(file, hours)
    assert kept(paths[0]) == (0, None)  # used again: now the second is the oldest
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", str(3.5 * 4 * SIZE / 1e9))
    value, new = kept(paths[3])
    assert value == 3 and set(cache.iterdir()) == {files[0], files[2], new}
    assert kept(paths[1])[0] == 1  # made anew
    assert not files[2].exists() and sum(1 for _ in cache.iterdir()) == 3


def test_what_is_in_use_stays(cache, paths, monkeypatch):
    stream = read(paths[0]).cached()
    (file,) = cache.iterdir()
    aged(file, 5)
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "0")
    _, new = kept(paths[1])
    assert file.exists() and new.exists()  # what was asked for just now is given, too
    assert sum(map(len, stream)) == SIZE
    del stream
    _, last = kept(paths[2])
    assert set(cache.iterdir()) == {last}


def test_what_another_process_uses_stays(cache, paths, monkeypatch):
    program = (
        "import sys; from slipstream.data import read; s = read(sys.argv[1]).cached(); "
        "print('open', flush=True); sys.stdin.readline()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(paths[0])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "open\n"
    (file,) = cache.iterdir()
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "0")
    _, second = kept(paths[1])
    assert file.exists()
    child.communicate("\n")
    _, third = kept(paths[2])
    assert not file.exists() and not second.exists() and third.exists()


def test_tables_count_too_and_a_folder_of_the_users_does_not(cache, paths, tmp_path, monkeypatch):
    for path in paths[:2]:
        read(path).cached(tmp_path / "own")
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "0")
    _, file = kept(paths[2])
    monkeypatch.setattr(text_tables, "KEPT_BYTES", 1)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert next(iter(read(tmp_path / "t.csv"))).tolist() == [[1, 2]]
    assert not file.exists()
    assert sum(1 for _ in (tmp_path / "own").iterdir()) == 2
    assert sum(1 for _ in (cache.parent / "tables").iterdir()) == 1


def test_a_use_changes_no_key(cache, paths):
    kept(paths[0])
    (file,) = cache.iterdir()
    before = file.stat().st_mtime_ns
    assert kept(paths[0]) == (0, None) and file.stat().st_mtime_ns == before


@pytest.mark.parametrize("said", ["-1", "many", "nan"])
def test_a_bound_that_is_none(said, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", said)
    with pytest.raises(ValueError, match="SLIPSTREAM_CACHE_GB must be"):
        bounded.bound()


def test_the_bound(monkeypatch):
    monkeypatch.delenv("SLIPSTREAM_CACHE_GB", raising=False)
    assert bounded.bound() == 20_000_000_000
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "0.5")
    assert bounded.bound() == 500_000_000
    monkeypatch.setenv("SLIPSTREAM_CACHE_GB", "inf")
    assert bounded.bound() > 10**18
