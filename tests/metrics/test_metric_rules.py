"""Shapes of weights, masks, ties and edges: what counts, and how much."""

from __future__ import annotations

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from metric_cases import rows

from slipstream import metrics
from slipstream.core.scope import attach

SQUARE = [[1.0, 2.0], [3.0, 5.0]]
CUBE = np.arange(8.0).reshape(2, 2, 2)


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize(
    "values, weights",
    [
        (3.0, None),
        (3.0, 2.0),
        (SQUARE, None),
        (SQUARE, [1.0, 2.0]),
        (SQUARE, [[1.0, 2.0], [3.0, 0.0]]),
        (SQUARE, [[1.0], [3.0]]),
        (SQUARE, 2.0),
        ([1.0, 2.0, 5.0], 2.0),
        ([1.0, 2.0, 5.0], [2.0]),
        ([1.0, 2.0, 5.0], [[1.0], [2.0], [1.0]]),
        ([[1.0], [2.0], [5.0]], [1.0, 2.0, 1.0]),
        (CUBE, [[1.0, 2.0], [0.0, 1.0]]),
        (CUBE, [1.0, 2.0]),
        (CUBE, [[[1.0], [2.0]], [[0.0], [1.0]]]),
        ([True, False, True], [1, 2, 3]),
        (np.zeros(0), None),
    ],
)
def test_sums_and_counts_for_every_shape_of_weights(name, values, weights):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    ours.update_state(values, weights)
    theirs.update_state(values, weights)
    for mine, other in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6)


@pytest.mark.parametrize("weights", [2.0, (2,), (2, 1), (1, 4), (2, 4)], ids=str)
@pytest.mark.parametrize("name", ["TruePositives", "AUC"])
def test_counts_for_every_shape_of_weights(name, weights):
    drawn = np.random.default_rng(0).uniform(1, 2, weights) if isinstance(weights, tuple) else 2.0
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    y_true, y_pred = rows("several", 2, 0)
    ours.update_state(y_true, y_pred, drawn)
    theirs.update_state(y_true, y_pred, drawn)
    for mine, other in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine, other, rtol=1e-6)


@pytest.mark.parametrize("weights", [None, np.ones(4)], ids=["plain", "weighted"])
def test_half_precision_holds_the_mean_of_long_rows(weights):
    metric = metrics.Mean(dtype="float16")
    metric.update_state(np.full((4, 30_000), 5.0), weights)
    assert float(metric.result()) == 5.0


MASK = np.array([[True, True, False], [True, False, False]])


@pytest.mark.parametrize("weights", [None, (2, 3), (2, 3, 1)], ids=str)
@pytest.mark.parametrize("name", ["MeanSquaredError", "SparseCategoricalAccuracy", "Precision"])
def test_mask_on_predictions_counts_where_it_does_in_keras(name, weights):
    y_true, y_pred = rows("steps" if "Sparse" in name else "one_hot_steps", 2, 3)
    drawn = np.random.default_rng(0).uniform(1, 2, weights) if weights else None
    masked, other = jnp.asarray(y_pred), keras.ops.convert_to_tensor(y_pred)
    attach(masked, "mask", jnp.asarray(MASK))
    other._keras_mask = jnp.asarray(MASK)
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    ours.update_state(y_true, masked, drawn)
    theirs.update_state(y_true, other, drawn)
    for mine, their in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine, their, rtol=1e-6)


def test_a_mask_of_steps_and_row_weights_multiply():
    y_true, y_pred = rows("one_hot_steps", 2, 3)
    masked = jnp.asarray(y_pred)
    attach(masked, "mask", jnp.asarray(MASK))
    ours, explicit = metrics.MeanSquaredError(), metrics.MeanSquaredError()
    ours.update_state(y_true, masked, [1.0, 2.0])
    explicit.update_state(y_true, y_pred, MASK * np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(ours.total, explicit.total, rtol=1e-6)
    np.testing.assert_allclose(ours.count, explicit.count, rtol=1e-6)


def test_a_mask_on_values_counts_beside_weights():
    values = jnp.asarray([[1.0, 2.0], [3.0, 5.0]])
    mask = jnp.asarray([[True, False], [True, True]])
    attach(values, "mask", mask)
    ours = metrics.Mean()
    ours.update_state(values, np.ones((2, 2)))
    np.testing.assert_allclose(ours.result(), (1 + 3 + 5) / 3, rtol=1e-6)


def test_ignored_targets_count_as_zero_with_and_without_weights():
    y_true, y_pred = rows("labels", 6, 0)
    plain, weighted = (
        metrics.SparseCategoricalCrossentropy(ignore_class=int(y_true[0])) for _ in range(2)
    )
    plain.update_state(y_true, y_pred)
    weighted.update_state(y_true, y_pred, np.ones(6))
    each = np.where(y_true == y_true[0], 0, -np.log(y_pred[np.arange(6), y_true]))
    np.testing.assert_allclose(plain.result(), each.mean(), rtol=1e-5)
    np.testing.assert_allclose(weighted.result(), each.mean(), rtol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["MeanSquaredError", "MeanAbsoluteError", "LogCoshError", "Poisson", "BinaryCrossentropy"],
)
def test_vectors_of_targets_and_predictions_are_columns(name):
    y_true, y_pred = rows("vectors", 6, 0)
    weights = np.arange(6.0)
    column = getattr(metrics, name)()
    column.update_state(y_true[:, None], y_pred[:, None], weights)
    for true, pred in ((y_true, y_pred), (y_true, y_pred[:, None]), (y_true[:, None], y_pred)):
        vector = getattr(metrics, name)()
        vector.update_state(true, pred, weights)
        np.testing.assert_allclose(vector.count, column.count)
        np.testing.assert_allclose(vector.total, column.total, rtol=1e-6)


def test_integer_confusion_matrices_drop_the_fraction_of_weights_as_keras_does():
    ours, theirs = metrics.MeanIoU(3), keras.metrics.MeanIoU(3)
    for metric in (ours, theirs):
        metric.update_state([0, 1, 2, 1], [0, 2, 2, 1], [0.5, 1.5, 1.0, 2.0])
    np.testing.assert_array_equal(ours.total_cm, theirs.variables[0])


def test_one_hot_iou_reads_classes_from_another_axis():
    y_true, y_pred = rows("one_hot_steps", 5, 0)
    last, middle = metrics.OneHotMeanIoU(4), metrics.OneHotMeanIoU(4, axis=1)
    moved = np.moveaxis(y_true, -1, 1), np.moveaxis(y_pred, -1, 1)
    np.testing.assert_allclose(middle(*moved), last(y_true, y_pred))


def test_row_weights_reach_all_labels_of_a_map():
    y_true, y_pred = rows("maps", 3, 0)
    row, each = metrics.MeanIoU(4), metrics.MeanIoU(4)
    row.update_state(y_true, y_pred, [1, 0, 2])
    each.update_state(y_true, y_pred, np.repeat([[1], [0], [2]], 3, axis=1))
    np.testing.assert_array_equal(row.total_cm, each.total_cm)


def test_class_numbers_outside_the_classes_do_not_count_as_in_keras():
    ours, theirs = metrics.MeanIoU(3), keras.metrics.MeanIoU(3)
    for metric in (ours, theirs):
        metric.update_state([0, 5, 2, 1, 1], [0, 2, 2, -1, 7])
    np.testing.assert_array_equal(ours.total_cm, theirs.variables[0])


@pytest.mark.parametrize(
    "name, data, arguments",
    [
        ("binary_accuracy", "vector", {"threshold": 0.4}),
        ("binary_accuracy", "several", {}),
        ("categorical_accuracy", "one_hot_steps", {}),
        ("sparse_categorical_accuracy", "labels", {}),
        ("sparse_categorical_accuracy", "label_column", {}),
        ("sparse_categorical_accuracy", "steps", {}),
        ("top_k_categorical_accuracy", "one_hot_steps", {"k": 2}),
        ("sparse_top_k_categorical_accuracy", "label_column", {"k": 2}),
        ("sparse_top_k_categorical_accuracy", "steps", {"k": 9}),
        ("sparse_top_k_categorical_accuracy", "ids", {"k": 3, "from_sorted_ids": True}),
        ("pearson_correlation", "real", {"axis": 0}),
        ("concordance_correlation", "real", {"axis": 0}),
    ],
)
def test_functions_give_values_in_the_shape_of_keras(name, data, arguments):
    y_true, y_pred = rows(data, 5, 1)
    ours = getattr(metrics, name)(y_true, y_pred, **arguments)
    theirs = getattr(keras.metrics, name)(y_true, y_pred, **arguments)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_correlations_against_numpy_in_float64():
    y_true, y_pred = np.random.default_rng(0).normal(size=(2, 4, 50))
    pearson = [np.corrcoef(t, p)[0, 1] for t, p in zip(y_true, y_pred)]
    np.testing.assert_allclose(metrics.pearson_correlation(y_true, y_pred), pearson, atol=1e-6)
    covariance = [np.cov(t, p, ddof=0)[0, 1] for t, p in zip(y_true, y_pred)]
    spread = y_true.var(1) + y_pred.var(1) + (y_true.mean(1) - y_pred.mean(1)) ** 2
    wanted = 2 * np.array(covariance) / spread
    np.testing.assert_allclose(metrics.concordance_correlation(y_true, y_pred), wanted, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_top_k_with_ties_missing_classes_and_infinite_scores(k):
    scores = np.array(
        [[0, 0, 0, 0], [1, 1, 2, 0], [np.inf, 1, 0, 0], [np.inf, -np.inf, 1, 0], [3, 2, 1, 0]],
        "float32",
    )
    for labels in ([0, 1, 0, 1, 9], [3, 0, 1, 0, -1], [2, 2, 3, 2, 3]):
        ours = metrics.sparse_top_k_categorical_accuracy(np.array(labels), scores, k=k)
        theirs = keras.metrics.sparse_top_k_categorical_accuracy(np.array(labels), scores, k=k)
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("top_k", [1, 2, 3])
def test_precision_breaks_ties_of_the_top_k_as_keras(top_k):
    y_true = np.array([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 1, 1]])
    y_pred = np.array([[0.2, 0.5, 0.5, 0.2], [0.1, 0.1, 0.1, 0.1], [0.0, 0.0, 1.0, 0.0]])
    ours, theirs = metrics.Precision(top_k=top_k), keras.metrics.Precision(top_k=top_k)
    np.testing.assert_allclose(ours(y_true, y_pred), theirs(y_true, y_pred))


@pytest.mark.parametrize("size", [3, 12, 200])
def test_predictions_on_even_thresholds_fall_as_in_keras(size):
    steps = np.arange(200) / (size - 1)
    y_pred = np.concatenate([steps, np.nextafter(steps, 0, dtype="float32"), [-0.5, 1.5]])
    y_true = np.arange(len(y_pred)) % 3 == 0
    for name, arguments in (("AUC", {}), ("SensitivityAtSpecificity", {"specificity": 0.5})):
        ours = getattr(metrics, name)(num_thresholds=size, **arguments)
        theirs = getattr(keras.metrics, name)(num_thresholds=size, **arguments)
        ours.update_state(y_true, y_pred)
        theirs.update_state(y_true, y_pred)
        for mine, other in zip(ours.variables, theirs.variables):
            np.testing.assert_array_equal(mine, other)


def test_area_under_roc_is_the_chance_of_ranking_a_pair_rightly():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, 2, 300), (rng.integers(1, 51, 300) - 0.5) / 50
    right, wrong = y_pred[y_true == 1, None], y_pred[None, y_true == 0]
    chance = np.mean((right > wrong) + 0.5 * (right == wrong))
    area = metrics.AUC(num_thresholds=51)(y_true, y_pred)
    np.testing.assert_allclose(area, chance, rtol=1e-5)
