"""The same numbers, states and configurations as Keras, batch after batch."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from metric_cases import CASES, rows, weights_for

from slipstream import metrics
from slipstream.core.scope import attach


def assert_close(ours, theirs, name=""):
    loose = 1e-5 if "AUC" in name else 1e-6
    np.testing.assert_allclose(ours, theirs, rtol=2 * loose, atol=loose, err_msg=name)


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_results_and_states_follow_keras_over_batches(case, weighted):
    ours, theirs = case.make(metrics), case.make(keras.metrics)
    for seed, count in enumerate([5, 7, 5]):
        y_true, y_pred = rows(case.data, count, seed)
        mine, other = weights_for(case, count, seed) if weighted else (None, None)
        ours.update_state(y_true, y_pred, mine)
        theirs.update_state(y_true, y_pred, other)
        assert_close(ours.result(), theirs.result(), case.name)
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for mine, other in zip(ours.variables, theirs.variables):
        assert (mine.shape, mine.dtype) == (tuple(other.shape), other.dtype)
        np.testing.assert_allclose(mine, other, rtol=1e-5, atol=1e-5, err_msg=mine.path)
    ours.reset_state()
    theirs.reset_state()
    assert_close(ours.result(), theirs.result(), case.name)


def plain(config):
    """Lists for arrays, and no automatic number in the name."""
    config = {key: np.asarray(v).tolist() if v is not None else v for key, v in config.items()}
    return {**config, "name": config["name"].rstrip("_0123456789")}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_configuration_is_that_of_keras_and_makes_an_equal_metric(case):
    ours, theirs = case.make(metrics), case.make(keras.metrics)
    wanted = plain(theirs.get_config())
    if case.name == "CosineSimilarity" and case.arguments:
        wanted.update(case.arguments)  # Keras forgets the axis
    assert plain(ours.get_config()) == wanted
    saved = metrics.serialize(ours)
    assert (saved["module"], saved["class_name"]) == ("keras.metrics", case.name)
    again = metrics.deserialize(saved)
    assert again.get_config() == ours.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    y_true, y_pred = rows(case.data, 6, 0)
    assert_close(again(y_true, y_pred), ours(y_true, y_pred), case.name)
    keras.metrics.deserialize(saved)


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "name", ["Mean", "MeanSquaredError", "AUC", "Precision", "F1Score", "R2Score", "BinaryIoU"]
)
def test_types_of_states_are_those_of_keras(name, dtype):
    ours = getattr(metrics, name)(dtype=dtype)
    theirs = getattr(keras.metrics, name)(dtype=dtype)
    data = np.array([[0.0, 1.0], [1.0, 0.0]])
    ours.update_state(data, data)
    theirs.update_state(data, data)
    assert ours.dtype == theirs.dtype
    assert [v.dtype for v in ours.variables] == [v.dtype for v in theirs.variables]


REDUCED = [
    (3.0, None),
    (3.0, 2.0),
    ([[1.0, 2.0], [3.0, 5.0]], None),
    ([[1.0, 2.0], [3.0, 5.0]], [1.0, 2.0]),
    ([[1.0, 2.0], [3.0, 5.0]], [[1.0, 2.0], [3.0, 0.0]]),
    ([[1.0, 2.0], [3.0, 5.0]], [[1.0], [3.0]]),
    ([[1.0, 2.0], [3.0, 5.0]], 2.0),
    ([1.0, 2.0, 5.0], 2.0),
    ([1.0, 2.0, 5.0], [2.0]),
    ([1.0, 2.0, 5.0], [[1.0], [2.0], [1.0]]),
    ([[1.0], [2.0], [5.0]], [1.0, 2.0, 1.0]),
    (np.arange(8.0).reshape(2, 2, 2), [[1.0, 2.0], [0.0, 1.0]]),
    (np.arange(8.0).reshape(2, 2, 2), [1.0, 2.0]),
    (np.arange(8.0).reshape(2, 2, 2), [[[1.0], [2.0]], [[0.0], [1.0]]]),
    ([True, False, True], [1, 2, 3]),
    (np.zeros(0), None),
]


@pytest.mark.parametrize("name", ["Mean", "Sum"])
@pytest.mark.parametrize("values, weights", REDUCED)
def test_sums_and_counts_of_every_shape_of_weights(name, values, weights):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    ours.update_state(values, weights)
    theirs.update_state(values, weights)
    for mine, other in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine, other, rtol=1e-6)
    np.testing.assert_allclose(ours.result(), theirs.result(), rtol=1e-6)


MASK = np.array([[True, True, False], [True, False, False]])


@pytest.mark.parametrize("weights", [None, (2, 3), (2, 3, 1)], ids=str)
@pytest.mark.parametrize(
    "name", ["MeanSquaredError", "CosineSimilarity", "SparseCategoricalAccuracy", "Precision"]
)
def test_mask_on_predictions_counts_where_it_does_in_keras(name, weights):
    from keras.src import backend

    y_true, y_pred = rows("steps" if "Sparse" in name else "one_hot_steps", 2, 3)
    drawn = np.random.default_rng(0).uniform(1, 2, weights) if weights else None
    import jax.numpy as jnp

    masked = jnp.asarray(y_pred)
    attach(masked, "mask", jnp.asarray(MASK))
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    ours.update_state(y_true, masked, drawn)
    other = keras.ops.convert_to_tensor(y_pred)
    backend.set_keras_mask(other, MASK)
    theirs.update_state(y_true, other, drawn)
    for mine, their in zip(ours.variables, theirs.variables):
        np.testing.assert_allclose(mine, their, rtol=1e-6)


def test_row_weights_and_a_mask_of_steps_multiply():
    import jax.numpy as jnp

    y_true, y_pred = rows("one_hot_steps", 2, 3)
    masked = jnp.asarray(y_pred)
    attach(masked, "mask", jnp.asarray(MASK))
    ours, explicit = metrics.MeanSquaredError(), metrics.MeanSquaredError()
    ours.update_state(y_true, masked, [1.0, 2.0])
    explicit.update_state(y_true, y_pred, MASK * np.array([[1.0], [2.0]]))
    np.testing.assert_allclose(ours.result(), explicit.result(), rtol=1e-6)


FUNCTIONS = [
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
    ("mean_squared_error", "real", {}),
]


@pytest.mark.parametrize("name, data, arguments", FUNCTIONS)
def test_functions_give_values_of_keras_shape(name, data, arguments):
    y_true, y_pred = rows(data, 5, 1)
    ours = getattr(metrics, name)(y_true, y_pred, **arguments)
    theirs = getattr(keras.metrics, name)(y_true, y_pred, **arguments)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_with_ties_missing_classes_and_infinite_scores(k):
    scores = np.array(
        [[0, 0, 0, 0], [1, 1, 2, 0], [np.inf, 1, 0, 0], [np.nan, 1, 0, 0], [3, 2, 1, 0]], "float32"
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
    steps = np.arange(size) / (size - 1)
    y_pred = np.concatenate([steps, np.nextafter(steps, 0, dtype="float32"), [-0.5, 1.5]])
    y_true = np.arange(len(y_pred)) % 3 == 0
    for make in (
        lambda module: module.AUC(num_thresholds=size),
        lambda module: module.SensitivityAtSpecificity(0.5, num_thresholds=size),
    ):
        ours, theirs = make(metrics), make(keras.metrics)
        ours.update_state(y_true, y_pred)
        theirs.update_state(y_true, y_pred)
        for mine, other in zip(ours.variables, theirs.variables):
            np.testing.assert_array_equal(mine, other)


def test_names_stand_for_the_classes_that_keras_takes_them_for():
    names = "mse MSE mae MAE mape MAPE msle MSLE bce BCE accuracy auc AUC f1_score f_beta_score"
    names += " cosine_similarity kl_divergence log_cosh_error poisson hinge r2_score binary_io_u"
    names += " mean sum binary_accuracy mean_squared_error sparse_top_k_categorical_accuracy"
    names += " binary_crossentropy root_mean_squared_error precision pearson_correlation"
    for name in names.split():
        ours, theirs = metrics.get(name), keras.metrics.get(name)
        assert type(ours).__name__ == type(theirs).__name__
        assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")


def test_every_public_name_of_keras_is_here_with_its_signature():
    import inspect

    for name in dir(keras.metrics):
        theirs = getattr(keras.metrics, name)
        if name.startswith("_") or not callable(theirs):
            continue
        ours = getattr(metrics, name)
        mine = inspect.signature(ours).parameters.values()
        other = inspect.signature(theirs).parameters.values()
        assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in other], name
