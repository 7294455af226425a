"""A cache is used only whole, and only for what it was made of."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from slipstream.data import read
from slipstream.data.streams import code, kept

ROWS = 500


@pytest.fixture
def path(tmp_path):
    numbers = np.arange(ROWS)
    columns = {"id": numbers, "text": [f"t{i}" for i in numbers], "y": numbers / 2}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=70)
    return tmp_path / "t.parquet"


calls = []


def prepared(x, y):
    calls.append(len(y))
    pictures = np.repeat(x["id"].astype(np.uint8)[:, None, None], 6, 1).repeat(2, 2)
    return {**x, "picture": pictures, "small": (x["id"].astype(np.float16),)}, y


def other(x, y):
    return {**x, "picture": np.zeros((len(y), 2))}, y


def flat(batches):
    return [part for batch in batches for part in batch]


def equal(left, right):
    for (x, y), (u, v) in zip(left, right, strict=True):
        assert x.keys() == u.keys() and isinstance(u["small"], tuple)
        for name in ("id", "text", "picture"):
            assert x[name].dtype == u[name].dtype and x[name].shape == u[name].shape
            np.testing.assert_array_equal(x[name], u[name])
        np.testing.assert_array_equal(x["small"][0], u["small"][0])
        assert u["small"][0].dtype == np.float16
        np.testing.assert_array_equal(y, v)


def test_rows_are_prepared_once_and_come_as_they_were(path, tmp_path):
    stream = read(path, target="y", transform=prepared, batch_size=64)
    wanted = list(stream)
    calls.clear()
    first = stream.cached(tmp_path / "cache")
    assert sum(calls) == ROWS
    equal(wanted, list(first))
    again = read(path, target="y", transform=prepared, batch_size=64).cached(tmp_path / "cache")
    equal(wanted, list(again))
    equal(wanted[5:], list(again.batches(0, 0, skip=5)))
    assert sum(calls) == ROWS
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_order_and_map_are_those_of_the_stream(path, tmp_path):
    stream = read(path, columns=["id"], shuffle=True, seed=1).map(lambda x: x + 1)
    found = np.concatenate(list(stream.cached(tmp_path)))[:, 0]
    assert sorted(found) == list(range(1, ROWS + 1)) and (np.diff(found) != 1).any()


def test_whatever_changes_the_rows_makes_a_new_cache(path, tmp_path):
    def files():
        return len(list((tmp_path / "cache").iterdir()))

    read(path, target="y", transform=prepared).cached(tmp_path / "cache")
    read(path, target="y", transform=other).cached(tmp_path / "cache")
    read(path, target="y").cached(tmp_path / "cache")
    read(path, target="y", columns=["id"]).cached(tmp_path / "cache")
    read(path, target="y", columns=["id"], shard=(0, 2)).cached(tmp_path / "cache")
    assert files() == 5
    read(path, target="y", columns=["id"], batch_size=7).cached(tmp_path / "cache")
    assert files() == 5
    pq.write_table(pa.table({"id": [1, 2], "y": [1, 2]}), path)
    (x, _) = next(iter(read(path, target="y", columns=["id"]).cached(tmp_path / "cache")))
    assert files() == 6 and x.tolist() == [[1], [2]]


def test_half_a_cache_is_never_used(path, tmp_path, monkeypatch):
    def fails(stream):
        for number, part in enumerate(stream._in_order()):
            if number == 3:
                raise KeyboardInterrupt
            yield part

    place = tmp_path / "cache"
    with monkeypatch.context() as patch:
        patch.setattr(kept, "_told", fails)
        with pytest.raises(KeyboardInterrupt):
            read(path, columns=["id"]).cached(place)
    assert list(place.iterdir()) == []
    assert sum(map(len, read(path, columns=["id"]).cached(place))) == ROWS


def test_files_that_were_bad_are_still_named(tmp_path):
    for number in range(3):
        pq.write_table(pa.table({"a": [number] * 4}), tmp_path / f"{number}.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1")
    for _ in range(2):
        stream = read(tmp_path, batch_size=3).cached(tmp_path / "cache")
        assert [place for place, _ in stream.bad] == [str(tmp_path / "1.parquet")]
        with pytest.warns(UserWarning, match=r"1\.parquet"):
            assert np.concatenate(list(stream))[:, 0].tolist() == [0] * 4 + [2] * 4


def test_what_cannot_be_kept(tmp_path, path):
    with pytest.raises(ValueError, match="A cache is for files"):
        read(pa.table({"a": [1]})).cached(tmp_path)
    sizes = (size for size in range(1, 100))
    with pytest.raises(ValueError, match="differ in shape"):
        read(path, columns=["id"], transform=lambda x: np.zeros((len(x), next(SIZES)))).cached(
            tmp_path
        )
    with pytest.raises(ValueError, match="cannot see the code"):
        read(path, columns=["id"], transform=lambda x: x + next(sizes)).cached(tmp_path)


SIZES = iter(range(1, 100))
FACTOR = 2


def helper(x):
    return x * FACTOR


def calling(x):
    return helper(x)


def test_the_code_of_a_function_is_what_it_does(monkeypatch):
    def make(factor):
        return lambda x, shift=1: x * factor + shift

    assert code.code_of(make(2)) == code.code_of(make(2)) != code.code_of(make(3))
    assert code.code_of(lambda x: x + 1) != code.code_of(lambda x: x + 2)
    before = code.code_of(calling)
    monkeypatch.setitem(globals(), "FACTOR", 3)
    assert code.code_of(calling) != before
