"""Retrieval metrics beside ranks found by sorting."""

import numpy as np
import pytest

from slipstream import metrics


def sorted_ranks(right, scores):
    """Rank of the best right candidate in each row; ties among others by their mean."""
    ranks = []
    for row, good in zip(scores, right):
        best = row[good].max()
        others = row[~good]
        ranks.append(1 + (others > best).sum() + 0.5 * (others == best).sum())
    return np.array(ranks)


@pytest.fixture
def scores(rng):
    return rng.normal(size=(30, 12)).round(1).astype("float32")  # rounded: some are equal


def test_ranks_are_those_of_sorting(rng, scores):
    columns = rng.integers(0, 12, 30)
    expected = sorted_ranks(np.eye(12, dtype=bool)[columns], scores)
    ranks, found = metrics.retrieval_ranks(columns, scores)
    np.testing.assert_array_equal(ranks, expected)
    assert np.all(found)
    relevant = rng.integers(0, 2, (30, 12))
    relevant[3] = 0
    ranks, found = metrics.retrieval_ranks(relevant, scores)
    assert list(np.flatnonzero(~np.asarray(found))) == [3]
    rows = np.delete(np.arange(30), 3)
    np.testing.assert_array_equal(
        np.asarray(ranks)[rows], sorted_ranks(relevant[rows] == 1, scores[rows])
    )


def test_metrics_are_means_and_medians_of_ranks(rng, scores):
    columns = rng.integers(0, 12, 30)
    ranks = sorted_ranks(np.eye(12, dtype=bool)[columns], scores)
    for metric, expected in [
        (metrics.RecallAtK(1), (ranks <= 1).mean()),
        (metrics.RecallAtK(5), (ranks <= 5).mean()),
        (metrics.MeanReciprocalRank(), (1 / ranks).mean()),
        (metrics.MedianRank(), np.median(ranks)),
    ]:
        for part in (slice(0, 7), slice(7, 30)):  # streamed
            metric.update_state(columns[part], scores[part])
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-5)
        weighted = type(metric).from_config(metric.get_config())
        weights = np.repeat([1, 0], 15)
        np.testing.assert_allclose(
            weighted(columns, scores, sample_weight=weights),
            type(metric).from_config(metric.get_config())(columns[:15], scores[:15]),
            rtol=1e-5,
        )
        saved = metrics.deserialize(metrics.serialize(metric))
        assert saved.get_config() == metric.get_config()
        metric.reset_state()
        assert float(metric.result()) == 0


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_medians_are_those_of_numpy(rng, count):
    scores = rng.normal(size=(count, 9)).astype("f")
    ranks, _ = metrics.retrieval_ranks(np.zeros(count, int), scores)
    found = metrics.MedianRank()(np.zeros(count, int), scores)
    assert float(found) == np.median(np.asarray(ranks))


def test_embeddings_are_searched_within_their_batch(rng):
    y = rng.normal(size=(8, 3, 4)).astype("f")
    numbers = np.array([0, 1, 2, 3, 0, 4, 5, 6])
    same = numbers[:, None] == numbers
    expected = sorted_ranks(same, y[:, 2] @ y[:, 1].T)
    found = metrics.MeanReciprocalRank(query=2, target=1)(numbers, y)
    np.testing.assert_allclose(found, (1 / expected).mean(), rtol=1e-5)
    # Rows of weight 0 and what is missing are no candidates.
    y[5:, 1] = 0
    weights = np.array([1, 1, 1, 1, 0, 1, 1, 1])
    part = metrics.MeanReciprocalRank(2, 1)(numbers[:4], y[:4])
    found = metrics.MeanReciprocalRank(2, 1)(numbers, y, sample_weight=weights)
    np.testing.assert_allclose(found, part, rtol=1e-5)


def test_constant_scores_are_no_success():
    assert float(metrics.RecallAtK(1)(np.zeros(4, int), np.zeros((4, 9)))) == 0
    assert float(metrics.MedianRank()(np.zeros(4, int), np.zeros((4, 9)))) == 5


def test_scores_that_are_nan_are_no_success():
    scores = np.zeros((3, 5), "f")
    scores[0] = np.nan  # nothing is known
    scores[1, 2], scores[2, 4] = np.nan, np.nan  # the right one, and a wrong one
    ranks, found = metrics.retrieval_ranks(np.full(3, 2), scores)
    np.testing.assert_array_equal(ranks, [5, 5, 1 + 1 + 3 / 2])
    assert np.all(found)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: metrics.RecallAtK(0), "k must be"),
        (lambda: metrics.MedianRank(max_rank=0), "max_rank"),
        (lambda: metrics.MeanReciprocalRank(query=-1), "query"),
        (lambda: metrics.RecallAtK()(np.zeros(3), np.ones((4, 9))), r"\(4, 9\).*\(3,\)"),
        (lambda: metrics.RecallAtK(target=2)(np.zeros(3), np.ones((3, 2, 4))), "modality 2"),
    ],
)
def test_what_does_not_fit_is_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
