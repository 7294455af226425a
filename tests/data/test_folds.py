"""`data.folds`: each row held out once, fair to classes, true to groups and to time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream import data


@given(st.integers(10, 80), st.integers(2, 6), st.integers(1, 4), st.integers(0, 50))
def test_each_row_is_held_out_once(rows, k, classes, seed):
    y = np.random.default_rng(seed).integers(0, classes, rows)
    x = np.arange(rows)[:, None]
    held = []
    for train, validation in data.folds(x, y, k, seed=seed):
        assert len(set(train.rows) | set(validation.rows)) == rows
        assert not set(train.rows) & set(validation.rows)
        np.testing.assert_array_equal(validation.x[:, 0], validation.rows)
        np.testing.assert_array_equal(train.y, y[train.rows])
        held.append(validation)
    np.testing.assert_array_equal(np.sort(np.concatenate([v.rows for v in held])), np.arange(rows))
    assert np.ptp([len(v.rows) for v in held]) <= 1
    for label in range(classes):
        assert np.ptp([(v.y == label).sum() for v in held]) <= 1


def test_repeats_part_anew_and_the_seed_decides():
    x, y = np.zeros((30, 1)), np.arange(30) % 2
    rows = lambda **kw: [v.rows.tolist() for _, v in data.folds(x, y, 3, **kw)]  # noqa: E731
    once, twice = rows(seed=4), rows(seed=4, repeats=2)
    assert twice[:3] == once and sorted(twice[3:]) != sorted(once)
    assert sorted(row for held in twice[3:] for row in held) == list(range(30))
    assert rows(seed=5) != once


def test_groups_stay_whole():
    frame = pd.DataFrame({"who": np.repeat(np.arange(20), 5), "v": np.arange(100)})
    y = np.repeat(np.arange(20) % 2, 5)
    sizes = []
    for train, validation in data.folds(frame, y, 4, groups="who"):
        assert not set(train.x.who) & set(validation.x.who)
        assert validation.y.mean() == pytest.approx(0.5, abs=0.101)  # of five groups two or three
        sizes.append(len(validation.rows))
    assert sizes == [25] * 4


def test_time_only_looks_ahead(rng):
    time = rng.integers(0, 40, 200)
    found = list(data.folds(np.zeros((200, 1)), k=4, time=time))
    assert len(found) == 4
    for i, (train, validation) in enumerate(found):
        assert time[train.rows].max() < time[validation.rows].min()
        assert len(validation.rows) == pytest.approx(40, abs=12)
        if i:
            before = found[i - 1]
            assert set(train.rows) == set(before.train.rows) | set(before.validation.rows)


def test_twins_are_never_on_both_sides(rng):
    x = rng.normal(size=(60, 5))
    x[30:] = x[:30] + 1e-6
    for train, validation in data.folds(x, k=3, keep_together=True):
        assert set(validation.rows % 30) & set(train.rows % 30) == set()


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"k": 1}, "k must lie between 2 and the 9 rows"),
        ({"k": 10}, "k must lie between 2 and the 9 rows"),
        ({"k": 2.5}, "k must lie"),
        ({"k": True}, "k must lie"),
        ({"repeats": 0}, "repeats must be"),
        ({"time": np.arange(9), "repeats": 2}, "leave repeats out"),
        ({"time": np.arange(9) // 3}, "3 different times for 4 parts"),
        ({"time": np.arange(9), "k": 9}, "k must lie between 2 and the 8 rows"),
        ({"groups": np.arange(9) // 5}, "2 groups"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else None,
)
def test_what_makes_no_sense_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):  # at once, not at the first fold
        data.folds(np.zeros((9, 1)), **{"k": 3, **arguments})
