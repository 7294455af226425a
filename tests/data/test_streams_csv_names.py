"""CSV files whose first line holds data, or names that are to be replaced."""

import gzip

import numpy as np
import pandas as pd
import pytest

from slipstream.data import read
from slipstream.data.streams import text_tables

LINES = "1,2.5,red\n2,,blue\n3,4.5,\n"


@pytest.fixture
def plain(tmp_path):
    path = tmp_path / "plain.csv"
    path.write_text(LINES)
    return path


@pytest.fixture
def named(tmp_path):
    path = tmp_path / "named.csv"
    path.write_text("a,b,c\n" + LINES)
    return path


def rows(path, **options):
    (batch,) = read(path, **options)
    return {name: column.tolist() for name, column in batch.items()}


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("plain", {"header": None}),
        ("plain", {"names": ["n", "size", "colour"]}),
        ("plain", {"header": None, "names": ["n", "size", "colour"]}),
        ("named", {"header": 0, "names": ["n", "size", "colour"]}),
        ("named", {"header": 0}),
        ("named", {}),
    ],
)
def test_rows_and_names_are_those_of_pandas(file, options, request):
    path = request.getfixturevalue(file)
    frame = pd.read_csv(path, **options)
    found = rows(path, **options)
    assert sorted(found) == sorted(str(name) for name in frame.columns)
    for column in frame.columns:
        name = str(column)
        missing = frame[column].isna().to_numpy()
        values = np.array(found[name], object)
        assert values[~missing].tolist() == frame[column][~missing].tolist()
        assert all(value is None or np.isnan(value) for value in values[missing])


def test_a_folder_a_pattern_and_compressed_files(tmp_path, plain):
    with gzip.open(tmp_path / "more.csv.gz", "wt") as file:
        file.write(LINES)
    (tmp_path / "tabs.tsv").write_text(LINES.replace(",", "\t"))
    for source, files in ((tmp_path, 3), ([plain, tmp_path / "more.csv.gz"], 2)):
        stream = read(source, names=["n", "size", "colour"], columns="n", target="size")
        assert stream.rows == 3 * files
    (x, y) = next(iter(stream))
    assert x.tolist() == [1, 2, 3] * 2 and y.dtype == "float32"


def test_a_type_that_widens_late_and_one_row(tmp_path):
    path = tmp_path / "late.csv"
    path.write_text("1,2\n" * 3000 + "1,2.5\n")
    (x,) = read(path, header=None, batch_size=4000)
    assert x.shape == (3001, 2) and x[-1].tolist() == [1, 2.5]
    path.write_text("7,8\n")
    assert next(iter(read(path, header=None, target="1")))[1].tolist() == [8]


def test_a_large_file_is_kept_once_for_each_naming(plain, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_tables, "KEPT_BYTES", 1)
    one, other = rows(plain, header=None), rows(plain, names=["x", "y", "z"])
    assert sorted(one) == ["0", "1", "2"] and sorted(other) == ["x", "y", "z"]
    np.testing.assert_equal(rows(plain, header=None), one)
    assert len(list((tmp_path / "cache" / "tables").iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"header": 1}, "header must be 0"),
        ({"header": True}, "header must be 0"),
        ({"names": "abc"}, "list of texts"),
        ({"names": [1, 2, 3]}, "list of texts"),
        ({"names": ["a", "a", "b"]}, "has an entry twice"),
        ({"names": ["a", "b"]}, "2 columns, got 3"),
    ],
)
def test_what_makes_no_sense(plain, options, message):
    with pytest.raises(ValueError, match=message):
        read(plain, **options)


def test_only_csv_files_have_a_header(tmp_path, plain):
    (tmp_path / "t.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(ValueError, match=r"for CSV files; '.*t\.jsonl' is none"):
        read(tmp_path / "t.jsonl", header=None)
    with pytest.raises(ValueError, match="for CSV files; got"):
        read(pd.read_csv(plain), names=["a", "b", "c"])
    plain.write_text("")
    with pytest.raises(ValueError, match="could not be read"):
        read(plain, header=None)
