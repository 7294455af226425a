"""Figures of a report against scikit-learn and printed tables."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_runs import classification, regression

from slipstream.report import Part, figures
from slipstream.report.figures import confusion, mean_interval, per_class, score, wilson

theirs = pytest.importorskip("sklearn.metrics")


@pytest.mark.parametrize(
    "hits, rows, low, high",
    # Newcombe (1998), Statistics in Medicine 17, table I: Wilson's score method.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_is_the_published_interval(hits, rows, low, high):
    assert wilson(hits, rows) == pytest.approx((low, high), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_mirrors(pair):
    hits, rows = pair
    low, high = wilson(hits, rows)
    assert 0 <= low <= hits / rows <= high <= 1
    assert wilson(rows - hits, rows) == pytest.approx((1 - high, 1 - low))


def test_the_interval_of_a_mean_covers_it_19_times_in_20():
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        low, high = mean_interval(generator.exponential(2.0, 200))
        covered += low <= 2.0 <= high
    assert 920 <= covered <= 970


@pytest.mark.filterwarnings("ignore:A single label")
@given(st.integers(1, 6), st.integers(1, 60), st.integers(0, 2**16))
def test_confusion_and_shares_are_scikit_learns(classes, rows, seed):
    generator = np.random.default_rng(seed)
    truth, said = generator.integers(0, classes, (2, rows))
    table = confusion(truth, said, classes)
    names = np.arange(classes)
    np.testing.assert_array_equal(table, theirs.confusion_matrix(truth, said, labels=names))
    precision, recall, f1, counts = theirs.precision_recall_fscore_support(
        truth, said, labels=names, zero_division=np.nan
    )
    for i, row in enumerate(per_class(table)):
        for value, wanted in zip(row.values(), (precision[i], recall[i], f1[i], counts[i])):
            assert math.isnan(wanted) if value is None else value == pytest.approx(wanted)


def test_scores_are_scikit_learns():
    run = classification()
    part = score(run.test)
    assert part["accuracy"] == theirs.accuracy_score(run.test.truth, run.test.predicted)
    assert part["loss"] == pytest.approx(
        -np.log([p[t] for p, t in zip(run.test.outputs, run.test.truth)]).mean(), rel=1e-5
    )
    run = regression()
    part = score(run.test)
    assert part["r2"] == pytest.approx(theirs.r2_score(run.test.truth, run.test.outputs))
    assert part["mae"] == pytest.approx(
        theirs.mean_absolute_error(run.test.truth, run.test.outputs)
    )


def test_baselines_come_from_the_training_rows():
    run = classification()
    # Training rows are mostly class 0, test rows are class 1 in 20 of 60 cases.
    run.training = Part(np.zeros(5, int), run.training.outputs[:5])
    assert figures(run)["baseline"] == pytest.approx((run.test.truth == 0).mean())
    run = regression()
    run.training = Part(np.full(4, 90, np.float32), np.zeros(4, np.float32))
    assert figures(run)["baseline"] == pytest.approx(np.abs(run.test.truth - 90).mean())


@pytest.mark.parametrize("run", [classification(), regression()], ids=["classes", "values"])
def test_figures_survive_json(run):
    found = figures(run)
    assert json.loads(json.dumps(found))["scores"] == found["scores"]
    best = "r2" if run.classes is None else "accuracy"
    assert found["gap"] == found["scores"]["training"][best] - found["scores"]["test"][best]
