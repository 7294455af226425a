"""Splitting: no row in two parts, shares kept in each class, equal seeds equal parts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipstream.cli.problem import Problem
from slipstream.cli.split import split

shares = st.floats(0.05, 0.45)


@given(st.lists(st.integers(3, 60), min_size=2, max_size=5), shares, shares, st.integers(0, 99))
def test_parts_are_disjoint_whole_and_stratified(sizes, validation, test, seed):
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    parts = split(y, len(sizes), validation, test, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(len(y)))
    for label, size in enumerate(sizes):
        train, judged, tested = (int((y[part] == label).sum()) for part in parts)
        assert min(train, judged, tested) >= 1
        assert tested == max(1, round(test * size)) or train == judged == 1
        assert abs(judged - validation * size) <= 1 or train == 1


def test_the_seed_alone_decides():
    y = np.arange(200) % 4
    one, again, other = (split(y, 4, 0.1, 0.2, seed) for seed in (1, 1, 2))
    for a, b in zip(one, again):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.test, other.test)


def test_values_are_split_without_classes():
    parts = split(np.linspace(0, 1, 100), None, 0.1, 0.2, 0)
    assert [len(part) for part in parts] == [70, 10, 20]
    assert 0.3 < parts.test.mean() / 99 < 0.7  # drawn from everywhere


def test_held_out_rows_are_the_test():
    parts = split(np.arange(100) % 2, 2, 0.1, 0.2, 0, held_out=30)
    assert parts.test.tolist() == list(range(70, 100))
    assert len(parts.validation) in (6, 7, 8) and max(parts.validation) < 70


def test_a_class_of_one_row_is_not_lost():
    parts = split(np.array([0] * 20 + [1]), 2, 0.1, 0.2, 0)
    assert sum(20 in part for part in parts) == 1


@pytest.mark.parametrize(
    "rows, validation, test, message",
    [
        (10, 0.0, 0.2, "--validation is a share"),
        (10, 0.1, 1.0, "--test is a share"),
        (10, 0.5, 0.5, "nothing to train on"),
        (2, 0.1, 0.2, "2 rows leave none for"),
        (0, 0.1, 0.2, "0 rows leave none for"),
    ],
)
def test_impossible_parts_are_refused(rows, validation, test, message):
    with pytest.raises(Problem, match=message):
        split(np.zeros(rows), None, validation, test, 0)
