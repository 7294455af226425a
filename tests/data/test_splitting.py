"""`data.split`: whole and disjoint, fair to classes, true to groups and to time."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream import data
from slipstream.data.parts.parting import by_group, by_time

ROWS = 120


@pytest.fixture
def rows(rng):
    return rng.normal(size=(ROWS, 3)).astype("f"), np.arange(ROWS) % 3


def numbers(parts):
    return [part.rows for part in parts]


def test_every_row_is_in_one_part(rows):
    x, y = rows
    parts = data.split(x, y, validation=0.2, test=0.1)
    np.testing.assert_array_equal(np.sort(np.concatenate(numbers(parts))), np.arange(ROWS))
    assert [len(part.rows) for part in parts] == [84, 24, 12]
    for part in parts:
        np.testing.assert_array_equal(part.x, x[part.rows])
        np.testing.assert_array_equal(part.y, y[part.rows])
        assert np.ptp(np.bincount(part.y)) == 0
    train_x, train_y = parts.train  # as fit takes it
    assert len(train_x) == len(train_y) == 84


def test_the_seed_alone_decides(rows):
    one, again, other = (data.split(*rows, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(numbers(one), numbers(again)):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.test.rows, other.test.rows)


@pytest.mark.parametrize(
    "targets",
    [
        np.repeat(["a", "b"], [100, 20]),
        np.repeat(["a", "b"], [100, 20]).tolist(),
        np.eye(2)[np.repeat([0, 1], [100, 20])],
        np.repeat([True, False], [100, 20]),
        pd.Series(np.repeat([5, 7], [100, 20])),
        pd.DataFrame({"y": np.repeat([0.0, 1.0], [100, 20])}),
    ],
    ids=["texts", "list", "one-hot", "bool", "series", "frame"],
)
def test_classes_in_any_form_keep_their_shares(rows, targets):
    parts = data.split(rows[0], targets, validation=0.2, test=0.2)
    rare = [int((part.rows >= 100).sum()) for part in parts]
    assert rare == [12, 4, 4]
    assert type(parts.test.y) is type(targets)


def test_what_is_spread_evenly_can_be_chosen(rows):
    x, _ = rows
    y = np.linspace(0, 1, ROWS)
    even = data.split(x, y, stratify=True, validation=0.25, test=0.25)
    tenths = np.bincount(even.test.rows * 10 // ROWS)
    assert tenths.tolist() == [3] * 10
    kinds = np.repeat([0, 1], 60)
    by_kind = data.split(x, y, stratify=kinds, validation=0.25, test=0.25)
    assert np.bincount(kinds[by_kind.test.rows]).tolist() == [15, 15]
    rare = np.arange(ROWS) < 4
    plain = [data.split(x, rare, stratify=False, seed=seed).test.y.sum() for seed in range(20)]
    assert len(set(plain)) > 1  # left to chance


def test_an_empty_part_on_wish(rows):
    parts = data.split(*rows, test=0)
    assert len(parts.test.rows) == 0 and parts.test.x.shape == (0, 3)
    assert len(parts.validation.rows) == 18
    grouped = data.split(*rows, test=0, groups=np.arange(ROWS) // 4)
    assert len(grouped.test.rows) == 0 and len(grouped.validation.rows) in (16, 20)


def test_forms_are_kept(rows):
    x, y = rows
    frame = pd.DataFrame(x, columns=list("abc"), index=np.arange(ROWS) + 7)
    given_x = {"array": x, "frame": frame, "jax": jnp.asarray(x), "list": [str(v) for v in x[:, 0]]}
    part = data.split(given_x, [y, (y * 2).tolist()], stratify=False).validation
    assert isinstance(part.x["list"], list) and part.x["list"][0] == str(x[part.rows[0], 0])
    assert part.x["frame"].index.tolist() == (part.rows + 7).tolist()
    np.testing.assert_array_equal(part.x["jax"], x[part.rows])
    assert isinstance(part.y, list) and part.y[1] == (y * 2)[part.rows].tolist()


def test_polars_frames_stay_what_they_are():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": range(20), "g": [i // 2 for i in range(20)]})
    parts = data.split(frame, polars.Series([0, 1] * 10), groups="g")
    assert isinstance(parts.train.x, polars.DataFrame) and isinstance(parts.train.y, polars.Series)
    assert parts.test.x["a"].to_list() == parts.test.rows.tolist()
    assert not set(parts.test.x["g"]) & set(parts.train.x["g"])


def test_tables_of_arrow_stay_what_they_are():
    arrow = pytest.importorskip("pyarrow")
    kinds = [i % 18 for i in range(20)]
    table = arrow.table({"a": [float(kind) for kind in kinds], "g": [str(kind) for kind in kinds]})
    parts = data.split(table, arrow.array([0, 1] * 10))
    assert isinstance(parts.train.x, arrow.Table)
    assert parts.test.x["a"].to_pylist() == (parts.test.rows % 18).tolist()
    place = np.empty(20, int)
    for number, part in enumerate(parts):
        place[part.rows] = number
    assert len(parts.leaks) == (place[:2] != place[18:]).sum()
    assert data.split(table, groups="g").leaks.ok


class TestGroups:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(st.integers(1, 30), min_size=12, max_size=60), st.integers(0, 99))
    def test_no_group_is_in_two_parts(self, sizes, seed):
        groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
        y = np.arange(len(groups)) % 2
        parts = data.split(np.zeros((len(groups), 1)), y, groups=groups, seed=seed)
        held = [set(groups[part].tolist()) for part in numbers(parts)]
        assert all(held) and sum(map(len, held)) == len(sizes)
        for part, share in zip(parts, (0.7, 0.15, 0.15)):
            assert abs(len(part.rows) - share * len(groups)) <= max(sizes)

    def test_shares_and_classes_come_near(self, rng):
        groups = np.repeat(np.arange(200), 5)
        y = (rng.random(200) < 0.2).astype(int)[groups]  # each group has one class
        parts = data.split(np.zeros((1000, 1)), y, groups=groups, validation=0.2, test=0.2)
        assert [len(part.rows) for part in parts] == pytest.approx([600, 200, 200], abs=5)
        for part in parts:
            assert part.y.mean() == pytest.approx(y.mean(), abs=0.02)

    def test_single_rows_fill_what_large_groups_leave(self):
        groups = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
        places = by_group(groups, np.arange(100) % 2, [0.6, 0.2, 0.2], np.random.default_rng(0))
        assert np.bincount(places).tolist() == [60, 20, 20]
        for part in range(3):
            assert np.ptp(np.bincount((np.arange(100) % 2)[places == part])) <= 2

    def test_each_part_gets_a_group_even_if_they_are_few(self):
        parts = data.split(np.zeros((30, 1)), groups=np.repeat(["a", "b", "c"], 10))
        assert [len(part.rows) for part in parts] == [10, 10, 10]

    def test_a_column_of_the_inputs_names_them(self):
        frame = pd.DataFrame({"who": list("abcdefghij") * 4, "v": np.arange(40)})
        parts = data.split(frame, groups="who")
        assert not set(parts.train.x.who) & (set(parts.validation.x.who) | set(parts.test.x.who))


class TestTime:
    def test_the_past_trains_and_the_future_tests(self, rng):
        days = rng.permutation(ROWS).astype("datetime64[D]")
        parts = data.split(np.zeros((ROWS, 1)), time=days, validation=0.2, test=0.1)
        assert [len(part.rows) for part in parts] == [84, 24, 12]
        assert days[parts.train.rows].max() < days[parts.validation.rows].min()
        assert days[parts.validation.rows].max() < days[parts.test.rows].min()
        assert (np.diff(days[parts.train.rows]) > np.timedelta64(0)).all()  # rows in order of time

    @given(st.lists(st.integers(0, 12), min_size=3, max_size=60))
    def test_equal_times_stay_together(self, times):
        times = np.array(times)
        if len(set(times.tolist())) < 3:
            with pytest.raises(ValueError, match="different times"):
                by_time(times, [0.7, 0.2, 0.1])
            return
        parts = by_time(times, [0.7, 0.2, 0.1])
        assert all(map(len, parts)) and sum(map(len, parts)) == len(times)
        for before, after in zip(parts, parts[1:]):
            assert times[before].max() < times[after].min()

    def test_missing_times_are_told(self):
        with pytest.raises(ValueError, match="missing in 1 rows, first in row 4"):
            data.split(np.zeros((9, 1)), time=[1.0, 2, 3, 4, np.nan, 6, 7, 8, 9])
        with pytest.raises(ValueError, match="missing in 1 rows, first in row 1"):
            data.split(np.zeros((3, 1)), time=["2020", None, "2021"])


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"validation": -0.1}, ValueError, "validation is a share"),
        ({"test": 1.0}, ValueError, "test is a share"),
        ({"validation": 0.5, "test": 0.5}, ValueError, "nothing to train on"),
        ({"y": np.zeros(3)}, ValueError, "y 3"),
        ({"x": {"a": np.zeros((4, 1)), "b": np.zeros((5, 1))}}, ValueError, "differ"),
        ({"x": np.zeros((2, 1)), "y": None}, ValueError, "2 rows leave none for the"),
        ({"x": np.zeros((0, 1)), "y": None}, ValueError, "0 rows leave none for the train"),
        ({"x": iter([1])}, TypeError, "batches"),
        ({"x": 3.0, "y": None}, TypeError, "no rows"),
        ({"groups": np.zeros(ROWS)}, ValueError, "1 group of rows that belong together"),
        ({"groups": np.zeros(3)}, ValueError, "groups needs one value for each"),
        ({"groups": "who"}, ValueError, "names no column"),
        ({"time": np.arange(ROWS), "groups": np.arange(ROWS)}, ValueError, "contradict"),
        ({"time": np.zeros(ROWS)}, ValueError, "1 different times for 3 parts"),
        ({"y": None, "stratify": True}, ValueError, "Pass y"),
        ({"y": np.full(ROWS, np.nan), "stratify": True}, ValueError, "one finite value"),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else None,
)
def test_what_makes_no_sense_is_refused(rows, arguments, error, match):
    with pytest.raises(error, match=match):
        data.split(**{"x": rows[0], "y": rows[1], **arguments})
