"""Tables: what becomes of each kind of column, and nothing learned from rows held out."""

from __future__ import annotations

import re

import numpy as np
import pytest

from slipstream.cli import tables
from slipstream.cli.columns import MOST_CATEGORIES, TableFeatures
from slipstream.cli.rows import ArrayFeatures

pd = pytest.importorskip("pandas")


def test_gaps_are_filled_with_the_mean_of_training_rows_only():
    column = [1.0, np.nan, 3.0, 1000.0]
    for features in (
        TableFeatures(pd.DataFrame({"a": column})),
        ArrayFeatures(np.array(column)[:, None]),
    ):
        found = features.encode(np.array([0, 1, 2]))
        assert found.x[:, 0].tolist() == [1, 2, 3, 1000]
        assert "training mean" in found.notes[0]


def test_text_becomes_a_column_a_category_of_the_training_rows():
    frame = pd.DataFrame({"colour": ["red", "blue", None, "red", "green"], "n": [1, 2, 3, 4, 5]})
    found = TableFeatures(frame).encode(np.array([0, 1, 2, 3]))
    assert found.names == ["colour=blue", "colour=red", "n"]
    # A gap, and a category that training never saw, are zeros.
    assert found.x[:, :2].tolist() == [[0, 1], [1, 0], [0, 0], [0, 1], [0, 0]]
    assert found.recipe[0] == {"column": "colour", "kind": "category", "values": ["blue", "red"]}


def test_rare_categories_are_left_at_zero():
    values = [f"c{i:03}" for i in range(60)] + ["c059"] * 5
    found = TableFeatures(pd.DataFrame({"a": values})).encode(np.arange(65))
    assert found.x.shape == (65, MOST_CATEGORIES)
    assert "a=c059" in found.names and "a=c055" not in found.names
    assert any("10 rarer" in note for note in found.notes)


def test_booleans_and_nullable_numbers_are_numbers():
    frame = pd.DataFrame(
        {"a": [True, False, True], "b": pd.array([1, None, 3], "Int64"), "c": [1, 2, 3]}
    )
    found = TableFeatures(frame).encode(np.arange(3))
    assert found.x.tolist() == [[1, 1, 1], [0, 2, 2], [1, 3, 3]]


ROWS = 60
GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.choice(["yes", "no"], ROWS)
PLAIN = GENERATOR.normal(size=ROWS)


@pytest.mark.parametrize(
    "column, note, kept",
    [
        ([5] * ROWS, "is always 5: left out", False),
        ([None] * ROWS, "is empty: left out", False),
        (range(ROWS), "counts the rows: left out", False),
        (range(1, ROWS + 1), "counts the rows: left out", False),
        ([f"name {i}" for i in range(ROWS)], "another value in every row: left out", False),
        (LABELS, "equals the target.*--drop 'odd'", True),
        (np.where(LABELS == "yes", 7, 2), "equals the target", True),
        (pd.date_range("2020", periods=ROWS), "holds dates.*left out", False),
        ([[1, 2]] * ROWS, "holds lists", False),
        (["?", *range(1, ROWS)], "'\\?' count as missing among its numbers", True),
        (["?", "-"] * (ROWS // 4) + list(range(ROWS // 2)), None, True),
        (GENERATOR.normal(size=ROWS), None, True),
        (GENERATOR.permutation(ROWS), None, True),
        (["a", "b", "c"] * (ROWS // 3), None, True),
    ],
    ids=[
        "constant",
        "empty",
        "count 0",
        "count 1",
        "identifier",
        "copy",
        "copy as code",
        "dates",
        "lists",
        "question mark",
        "half text",
        "numbers",
        "shuffled count",
        "categories",
    ],
)
def test_suspicious_columns_are_told(tmp_path, column, note, kept):
    frame = pd.DataFrame({"plain": PLAIN, "odd": list(column), "target": LABELS})
    rows = tables.prepare(frame, "t.csv", None, "auto", [])
    assert ("odd" in rows.features.frame) == kept
    if note is None:
        assert rows.notes == []
    else:
        (found,) = rows.notes
        assert re.search(note, found)


def test_numbers_kept_as_text_are_numbers():
    frame = pd.DataFrame({"a": PLAIN.astype(str), "y": LABELS})
    found = tables.prepare(frame, "t", "y", "auto", []).features.encode(np.arange(ROWS))
    np.testing.assert_allclose(found.x, PLAIN[:, None], rtol=1e-6)
    assert frame["a"].dtype != float  # the user's own frame stays as it was


def test_a_copy_of_a_numeric_target_is_told(tmp_path):
    frame = pd.DataFrame({"a": PLAIN, "b": PLAIN**2, "y": PLAIN})
    frame.to_parquet(tmp_path / "t.parquet")
    rows = tables.read(tmp_path / "t.parquet", "y", "auto", [])
    assert len(rows.notes) == 1 and "'a' equals the target" in rows.notes[0]
    assert tables.read(tmp_path / "t.parquet", "y", "auto", ["a"]).notes == []


@pytest.mark.parametrize("sign, ending", [(",", ".csv"), (";", ".csv"), ("\t", ".csv.gz")])
def test_separators_and_compression_are_recognised(tmp_path, sign, ending):
    path = tmp_path / f"t{ending}"
    frame = pd.DataFrame({"a": PLAIN, "b": PLAIN**2, "label": LABELS})
    frame.to_csv(path, sep=sign, index=False)
    rows = tables.read(path, None, "auto", [])
    np.testing.assert_allclose(rows.features.encode(np.arange(ROWS)).x[:, 0], PLAIN, rtol=1e-6)
    assert rows.target.classes == ["no", "yes"]
