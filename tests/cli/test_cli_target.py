"""Targets: the task follows from the values, and bad targets are named."""

from __future__ import annotations

import numpy as np
import pytest

from slipstream.cli import target
from slipstream.cli.problem import Problem


@pytest.mark.parametrize(
    "values, classes, labels",
    [
        (["b", "a", "b"] * 3, ["a", "b"], [1, 0, 1] * 3),
        ([True, False] * 4, ["False", "True"], [1, 0] * 4),
        ([3, 1, 3] * 3, ["1", "3"], [1, 0, 1] * 3),
        ([10.0, 9.0, 7.0] * 3, ["7", "9", "10"], [2, 1, 0] * 3),
        ([0.5, 1.5] * 4, ["0.5", "1.5"], [0, 1] * 4),
        ([[3], [1]] * 4, ["1", "3"], [1, 0] * 4),
        (np.eye(3)[[0, 2, 1] * 3], ["0", "1", "2"], [0, 2, 1] * 3),
    ],
)
def test_few_values_are_classes(values, classes, labels):
    found = target.read(np.array(values), "y")
    assert found.classes == classes
    assert found.y.tolist() == labels


@pytest.mark.parametrize(
    "values", [np.arange(100), np.linspace(0, 1, 50), [0.5, 1.5, 2.5] * 4, np.arange(63) % 21]
)
def test_many_values_or_fractions_are_a_regression(values):
    found = target.read(np.array(values), "y")
    assert found.classes is None
    np.testing.assert_allclose(found.y, values, rtol=1e-6)


def test_the_user_has_the_last_word():
    values = np.arange(40) % 4
    assert target.read(values, "y", "regression").classes is None
    assert len(target.read(np.arange(90) % 30, "y", "classification").classes) == 30
    assert "--task regression" in target.read(values, "y").why


@pytest.mark.parametrize(
    "values, task, message",
    [
        ([1.0, np.nan, 2.0, np.nan], "auto", "missing or infinite in 2 of 4 rows, first in row 2"),
        ([1.0, 2.0, np.inf], "auto", "in 1 of 3 rows, first in row 3"),
        (np.array(["a", None, "b"], object), "auto", "first in row 2"),
        (["a"] * 5, "auto", "always a"),
        ([4, 4, 4], "auto", "always 4"),
        (["a", "b", "c", "d"], "auto", "4 classes in 4 rows.*identifier"),
        (np.arange(100.0), "classification", "100 classes in 100 rows.*--task regression"),
        (["a", "b"] * 5, "regression", "holds text such as 'a'"),
        (np.ones((4, 3)), "auto", r"shape \(4, 3\)"),
        ([], "auto", "is empty"),
    ],
)
def test_bad_targets_are_named(values, task, message):
    with pytest.raises(Problem, match=f"price.*{message}"):
        target.read(np.array(values), "price", task)
