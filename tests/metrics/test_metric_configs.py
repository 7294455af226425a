"""Names, signatures and configurations are those of Keras."""

from __future__ import annotations

import inspect

import keras
import numpy as np
import pytest
from metric_cases import CASES, COMPILED, rows

from slipstream import metrics
from slipstream.core.registry import register_serializable


def plain(config):
    """Lists for arrays, and no automatic number in the name."""
    config = {key: v if v is None else np.asarray(v).tolist() for key, v in config.items()}
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
    assert metrics.deserialize(saved).get_config() == ours.get_config()
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config()
    assert plain(keras.metrics.deserialize(saved).get_config()) == plain(theirs.get_config())
    if not case.arguments.get("label_weights"):  # Keras saves them as a tensor of its own
        again = metrics.deserialize(keras.metrics.serialize(theirs))
        assert plain(again.get_config()) == plain(theirs.get_config())


@pytest.mark.parametrize("case", COMPILED, ids=str)
def test_which_way_is_better_is_what_keras_says(case):
    assert case.make(metrics).direction == getattr(case.make(keras.metrics), "_direction", None)


@pytest.mark.parametrize("dtype", ["float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["Mean", "MeanSquaredError", "AUC", "F1Score", "BinaryIoU"])
def test_types_of_states_are_those_of_keras(name, dtype):
    ours = getattr(metrics, name)(dtype=dtype)
    theirs = getattr(keras.metrics, name)(dtype=dtype)
    if name == "F1Score":
        ours.build((2, 2), (2, 2))
        theirs.update_state(np.eye(2), np.eye(2))
    assert ours.dtype == theirs.dtype
    assert [v.dtype for v in ours.variables] == [v.dtype for v in theirs.variables]


NAMES = """mse MSE mae MAE mape MAPE msle MSLE bce BCE accuracy auc AUC f1_score f_beta_score
cosine_similarity kl_divergence log_cosh_error poisson hinge r2_score binary_io_u mean sum
binary_accuracy mean_squared_error sparse_top_k_categorical_accuracy binary_crossentropy
root_mean_squared_error precision pearson_correlation sparse_categorical_accuracy"""


@pytest.mark.parametrize("name", NAMES.split())
def test_names_stand_for_the_classes_of_keras(name):
    ours, theirs = metrics.get(name), keras.metrics.get(name)
    assert type(ours).__name__ == type(theirs).__name__
    assert ours.name.rstrip("_0123456789") == theirs.name.rstrip("_0123456789")


def test_every_public_name_of_keras_is_here_with_its_signature():
    names = [name for name in dir(keras.metrics) if not name.startswith("_")]
    assert len(names) > 60
    for name in names:
        ours, theirs = getattr(metrics, name), getattr(keras.metrics, name)
        mine = inspect.signature(ours).parameters.values()
        other = inspect.signature(theirs).parameters.values()
        assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in other], name
        assert name in metrics.__all__


def test_get_takes_nothing_classes_objects_functions_and_configurations():
    metric = metrics.Mean()
    assert metrics.get(None) is None
    assert metrics.get(metric) is metric
    assert metrics.get(metrics.binary_accuracy) is metrics.binary_accuracy
    assert isinstance(metrics.get(metrics.Mean), metrics.Mean)
    found = metrics.get({"class_name": "Precision", "config": {"thresholds": 0.3}})
    assert found.thresholds == [0.3]
    with pytest.raises(ValueError, match="Did you mean 'precision'"):
        metrics.get("precison")


@register_serializable(package="metric_tests")
def distance(y_true, y_pred, power):
    return abs(y_true - y_pred) ** power


@pytest.mark.parametrize("fn", [distance, metrics.binary_accuracy, metrics.mean_squared_error])
def test_wrapped_functions_come_back_from_their_configuration(fn):
    arguments = {"power": 3.0} if fn is distance else {}
    metric = metrics.MeanMetricWrapper(fn, name="wrapped", dtype="float32", **arguments)
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    data = rows("several", 4, 0)
    np.testing.assert_array_equal(again(*data), metric(*data))


def test_a_function_wrapped_by_keras_is_ours_of_that_name():
    saved = keras.metrics.serialize(
        keras.metrics.MeanMetricWrapper(keras.metrics.binary_accuracy, threshold=0.3)
    )
    y_true, y_pred = rows("several", 5, 0)
    wanted = metrics.BinaryAccuracy(threshold=0.3)(y_true, y_pred)
    np.testing.assert_array_equal(metrics.deserialize(saved)(y_true, y_pred), wanted)
