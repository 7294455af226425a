"""The base class: variables, pure functions, subclasses, and errors that say what to do."""

from __future__ import annotations

import numpy as np
import pytest

from slipstream import metrics
from slipstream.core.variable import Variable


class Largest(metrics.Metric):
    def __init__(self, name="largest", **kwargs):
        super().__init__(name=name, **kwargs)
        self.mean = metrics.Mean()
        self.first = self.add_weight(name="first", initializer="ones")
        self.others = [metrics.Sum(), {"deep": metrics.Sum(name="deep")}]
        self.given = Variable(0.0, trainable=False, name="given")
        self.second = self.add_variable((2,), "zeros", dtype="int32", name="second")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.first.assign_add(2.0)
        self.mean.update_state(y_pred)

    def result(self):
        return {"largest": self.first, "mean": self.mean.result()}


def test_variables_come_in_order_of_creation_and_nested_metrics_last():
    metric = Largest(name="a/b")
    paths = ["a>b/first", "a>b/second", "given", "mean/total", "mean/count", "sum/total"]
    assert [v.path for v in metric.variables] == [*paths, "deep/total"]
    assert not any(v.trainable for v in metric.variables)
    assert [v.dtype for v in metric.variables[:2]] == ["float32", "int32"]


def test_reset_gives_zeros_whatever_the_first_value_was():
    metric = Largest()
    assert float(metric.first) == 1.0
    metric.update_state(1.0, 4.0)
    metric.reset_state()
    assert all(not np.any(variable.numpy()) for variable in metric.variables)
    assert [v.dtype for v in metric.variables[:2]] == ["float32", "int32"]


def test_stateless_forms_leave_the_metric_as_it_is():
    metric = Largest()
    state = [np.asarray(v.value) + 1 for v in metric.variables]
    new = metric.stateless_update_state(state, None, np.array([3.0, 5.0]))
    assert float(new[0]) == 4.0 and float(new[3]) == 1 + 8.0
    result = metric.stateless_result(new)
    assert float(result["largest"]) == 4.0 and float(result["mean"]) == pytest.approx(9 / 3)
    assert not isinstance(result["largest"], Variable)
    assert all(not np.any(value) for value in metric.stateless_reset_state())
    assert float(metric.first) == 1.0
    with pytest.raises(ValueError, match=r"has 7 variables; metric_variables has 1 values"):
        metric.stateless_result([0.0])


def test_a_call_updates_and_gives_the_result():
    metric = metrics.Mean()
    assert float(metric([1.0, 2.0])) == 1.5
    assert float(metric([6.0])) == 3.0


def test_per_example_holds_for_our_classes_until_the_update_is_overridden():
    class Renamed(metrics.MeanSquaredError):
        pass

    class Changed(metrics.MeanSquaredError):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, y_pred - np.mean(y_pred), sample_weight)

    class Promised(Changed):
        per_example = True

        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_true, y_pred, sample_weight)

    assert Renamed.per_example and Promised.per_example
    assert not Changed.per_example and not Largest.per_example and not metrics.Metric.per_example
    assert metrics.MeanMetricWrapper(metrics.binary_accuracy).per_example
    assert not metrics.MeanMetricWrapper(lambda y_true, y_pred: y_pred).per_example
    assert not metrics.MeanMetricWrapper(metrics.pearson_correlation, axis=0).per_example
    assert not metrics.PearsonCorrelation(axis=0).per_example
    assert not metrics.CosineSimilarity(axis=(0, 1)).per_example


def test_what_a_subclass_leaves_out_is_named():
    class Empty(metrics.Metric):
        pass

    class Forgetful(metrics.Metric):
        def __init__(self):
            self.total = self.add_variable((), "zeros")

    with pytest.raises(NotImplementedError, match=r"Empty does not define update_state"):
        Empty().update_state(1)
    with pytest.raises(NotImplementedError, match=r"Empty does not define result"):
        Empty().result()
    with pytest.raises(RuntimeError, match=r"Forgetful.__init__\(\) must call super"):
        Forgetful()


ONES = np.ones((2, 3), "float32")
BAD_ARGUMENTS = [
    ("Precision", {"thresholds": 1.1}, r"thresholds must be .* from 0 to 1; got 1.1"),
    ("Precision", {"thresholds": [0.5, -0.1]}, r"thresholds must be .*got \[0.5, -0.1\]"),
    ("Recall", {"thresholds": []}, r"one or more numbers"),
    ("TruePositives", {"thresholds": [None]}, r"thresholds must be"),
    ("AUC", {"num_thresholds": 1}, r"num_thresholds must be a whole number of at least 2; got 1"),
    ("AUC", {"thresholds": [0.5, 1.2]}, r"thresholds must be"),
    ("AUC", {"curve": "RO"}, r"curve is 'RO'. Did you mean 'ROC'"),
    ("AUC", {"summation_method": "middle"}, r"summation_method is 'middle'"),
    ("AUC", {"num_labels": 3}, r"num_labels=3 needs multi_label=True"),
    ("SensitivityAtSpecificity", {"specificity": 1.5}, r"specificity must be .*got 1.5"),
    ("SpecificityAtSensitivity", {"sensitivity": -1}, r"sensitivity must be .*got -1"),
    ("PrecisionAtRecall", {"recall": 2}, r"recall must be"),
    ("RecallAtPrecision", {"precision": 0.5, "num_thresholds": 0}, r"num_thresholds .*got 0"),
    ("F1Score", {"average": "mean"}, r"average must be .*got 'mean'"),
    ("FBetaScore", {"beta": 1}, r"beta must be a float above 0; got 1"),
    ("FBetaScore", {"beta": -1.0}, r"beta must be"),
    ("F1Score", {"threshold": 1.5}, r"threshold must be .*got 1.5"),
    ("F1Score", {"threshold": 0.0}, r"threshold must be"),
    ("R2Score", {"class_aggregation": "mean"}, r"class_aggregation must be .*got 'mean'"),
    ("R2Score", {"num_regressors": -1}, r"num_regressors must be .*got -1"),
    ("IoU", {"num_classes": 3, "target_class_ids": [3]}, r"from 0 to 2; got \[3\]"),
    ("IoU", {"num_classes": 3, "target_class_ids": []}, r"one or more classes"),
    ("BinaryIoU", {"target_class_ids": [2]}, r"from 0 to 1; got \[2\]"),
    ("MeanIoU", {"num_classes": 0}, r"num_classes must be .*got 0"),
    ("Mean", {"dtype": "floaty"}, r"Unknown dtype policy 'floaty'"),
]


@pytest.mark.parametrize("name, arguments, message", BAD_ARGUMENTS)
def test_bad_arguments_are_named_with_what_was_seen(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(**arguments)


BAD_DATA = [
    ("Precision", {"class_id": 3}, (ONES, ONES), r"class_id=3.*shape \(2, 3\)"),
    ("Precision", {"class_id": -1}, (ONES, ONES), r"class_id=-1"),
    ("Recall", {"class_id": 0}, (ONES[0], ONES[0]), r"class_id=0.*shape \(3,\)"),
    ("Recall", {"top_k": 4}, (ONES, ONES), r"top_k=4.*3 classes"),
    ("AUC", {}, (ONES, ONES[:, :2]), r"one shape; got y_true \(2, 3\) and y_pred \(2, 2\)"),
    ("AUC", {"multi_label": True}, (ONES[0], ONES[0]), r"\(batch, labels\); got shape \(3,\)"),
    ("AUC", {"multi_label": True, "num_labels": 2}, (ONES, ONES), r"\(batch, 2\)"),
    ("AUC", {"label_weights": [1.0, 2.0]}, (ONES, ONES), r"label_weights of shape \(2,\)"),
    ("AUC", {}, (ONES, ONES, ONES[0]), r"sample_weight of shape \(3,.*values of shape \(2, 3\)"),
    ("F1Score", {}, (ONES[0], ONES[0]), r"\(batch, classes\); got \(3,\) and \(3,\)"),
    ("F1Score", {}, (ONES, ONES[:, :2]), r"one shape"),
    ("R2Score", {}, (ONES[0], ONES[0]), r"\(batch, outputs\)"),
    ("R2Score", {}, (ONES, ONES[:, :2]), r"one shape"),
    ("MeanIoU", {"num_classes": 2}, (ONES, ONES[:1]), r"as many targets as predictions"),
    ("Mean", {}, (ONES, np.ones(3)), r"sample_weight of shape \(3,\) for values of shape \(2, 3\)"),
    ("CategoricalAccuracy", {}, (ONES[:, :1], ONES), r"use sparse_categorical_accuracy"),
    ("SparseCategoricalAccuracy", {}, (ONES, ONES), r"one-hot targets use categorical_accuracy"),
]


@pytest.mark.parametrize("name, arguments, data, message", BAD_DATA)
def test_bad_data_is_named_with_its_shapes(name, arguments, data, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(**arguments).update_state(*data)
