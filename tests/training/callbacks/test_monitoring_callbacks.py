"""Callbacks that watch a figure take Keras' decisions."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from callback_fakes import Model, drive
from hypothesis import example, given, settings
from hypothesis import strategies as st

from slipstream import callbacks, metrics

# A grid with exact ties and with ties that only rounding makes.
figures = st.sampled_from([0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 1.0, 1.0000001, -0.3, math.nan, math.inf])
courses = st.lists(figures, min_size=1, max_size=12)
modes = st.sampled_from(["min", "max"])
deltas = st.sampled_from([0, 0.1, -0.1, 1e-8])


def epochs_of(course):
    return [{"loss": 1.0, "val_loss": value} for value in course]


def outcome(callback, course, attributes):
    model, seen = drive(callback, epochs_of(course))
    state = [repr(getattr(callback, name)) for name in attributes]
    rates = [logs.get("learning_rate") for logs in seen]
    return len(seen), model.weights, model.optimizer.learning_rate, rates, state


@settings(max_examples=150, deadline=None)
@given(
    courses, modes, deltas, st.integers(0, 3), st.sampled_from([None, 0.3, 0.8]), st.booleans(),
    st.integers(0, 3),
)  # fmt: skip
@example([0.7, 0.8], "max", 0.1, 0, None, True, 0)  # a tie in float32 alone
def test_early_stopping_stops_and_restores_where_keras_does(
    course, mode, min_delta, patience, baseline, restore, start
):
    arguments = ("val_loss", min_delta, patience, 0, mode, baseline, restore, start)
    ours, theirs = (
        outcome(
            library.EarlyStopping(*arguments),
            course,
            ("wait", "stopped_epoch", "best", "best_epoch"),
        )
        for library in (callbacks, keras.callbacks)
    )
    assert ours == theirs


@settings(max_examples=150, deadline=None)
@given(
    courses, modes, deltas, st.integers(0, 3), st.integers(0, 2), st.sampled_from([0.0, 0.02, 0.1]),
    st.sampled_from([0.1, 0.5]),
)  # fmt: skip
def test_reduce_lr_sets_the_rates_that_keras_sets(
    course, mode, min_delta, patience, cooldown, min_lr, factor
):
    arguments = ("val_loss", factor, patience, 0, mode, min_delta, cooldown, min_lr)
    ours, theirs = (
        outcome(library.ReduceLROnPlateau(*arguments), course, ("wait", "cooldown_counter", "best"))
        for library in (callbacks, keras.callbacks)
    )
    assert ours == theirs


@settings(max_examples=150, deadline=None)
@given(
    courses, modes, st.booleans(), st.sampled_from([None, 0.3]),
    st.sampled_from(["epoch", 1, 2, 5]), st.booleans(),
)  # fmt: skip
def test_model_checkpoint_writes_the_files_that_keras_writes(
    course, mode, best, threshold, save_freq, weights
):
    path = "{epoch:02d}-{loss:.1f}-{val_loss:.2f}" + (".weights.h5" if weights else ".keras")
    arguments = (path, "val_loss", 0, best, weights, mode, save_freq, threshold)
    saved = []
    for library in (callbacks, keras.callbacks):
        callback = library.ModelCheckpoint(*arguments)
        if library is keras.callbacks and save_freq != "epoch":
            callback.set_model(Model())
            callback._set_monitor_op()  # Keras does so only after the first epoch, and stumbles
        model, _ = drive(callback, epochs_of(course), batches=3)
        saved.append((model.saved, repr(callback.best)))
    assert saved[0] == saved[1]


def test_checkpoints_within_an_epoch_can_carry_the_batch():
    names = []
    for library in (callbacks, keras.callbacks):
        model, _ = drive(
            library.ModelCheckpoint("{epoch}-{batch:03d}.keras", save_freq=2), epochs_of([1, 1]), 3
        )
        names.append([path for _, path in model.saved])
    assert names[0] == names[1] == ["1-002.keras", "2-001.keras", "2-003.keras"]


DIRECTED = """
    Accuracy BinaryAccuracy CategoricalAccuracy SparseCategoricalAccuracy TopKCategoricalAccuracy
    SparseTopKCategoricalAccuracy Precision Recall AUC F1Score R2Score MeanIoU MeanSquaredError
    RootMeanSquaredError MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredLogarithmicError
    LogCoshError CosineSimilarity KLDivergence Poisson BinaryCrossentropy CategoricalCrossentropy
    SparseCategoricalCrossentropy Hinge SquaredHinge CategoricalHinge PearsonCorrelation
    ConcordanceCorrelation TruePositives FalsePositives Mean Sum
"""


@pytest.mark.parametrize("name", DIRECTED.split())
def test_auto_mode_takes_the_direction_of_keras_metric(name):
    arguments = {"num_classes": 2} if name == "MeanIoU" else {}
    theirs = getattr(getattr(keras.metrics, name)(**arguments), "_direction", None)
    metric = getattr(metrics, name)(**arguments, name="figure")
    callback = callbacks.MonitorCallback("val_figure")
    callback.set_model(Model([metric]))
    if theirs is None:
        with pytest.raises(ValueError, match=r"cannot tell.*mode='max'.*names there are: loss"):
            callback.higher_is_better({"loss": 1.0})
    else:
        assert callback.higher_is_better() == (theirs == "up")


def test_a_missing_figure_warns_and_lists_those_there_are():
    for callback in (callbacks.EarlyStopping(mode="min"), callbacks.ReduceLROnPlateau()):
        with pytest.warns(UserWarning, match=r"no 'val_loss'.*There are: .*loss, mae"):
            model, seen = drive(callback, [{"loss": 1.0, "mae": 2.0}] * 3)
        assert len(seen) == 3 and model.optimizer.learning_rate == 0.1
    with pytest.warns(UserWarning, match=r"saves every time. There are: loss\."):
        model, _ = drive(
            callbacks.ModelCheckpoint("{epoch}.keras", save_best_only=True), [{"loss": 1.0}] * 2
        )
    assert len(model.saved) == 2


def test_an_array_is_no_figure_to_compare():
    logs = [{"val_loss": np.ones(3)}]
    with pytest.raises(ValueError, match=r"'val_loss' has shape \(3,\)"):
        drive(callbacks.EarlyStopping(), logs)
    with pytest.warns(UserWarning, match="saves every time"):
        model, _ = drive(callbacks.ModelCheckpoint("a.keras", save_best_only=True), logs)
    assert len(model.saved) == 1


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        ("ModelCheckpoint", {"filepath": "a.h5"}, r"end in '\.keras'; got 'a\.h5'\."),
        ("ModelCheckpoint", {"filepath": "a.weights.h5"}, "save_weights_only=True"),
        ("ModelCheckpoint", {"filepath": "a.keras", "save_weights_only": True}, r"\.weights\.h5"),
        ("ModelCheckpoint", {"filepath": "a.keras", "save_freq": "batch"}, "got 'batch'"),
        ("ModelCheckpoint", {"filepath": "a.keras", "save_freq": 0}, "at least 1; got 0"),
        ("BackupAndRestore", {"backup_dir": "a", "save_freq": 1.5}, "got 1.5"),
        ("BackupAndRestore", {"backup_dir": ""}, "backup_dir is empty"),
        ("ReduceLROnPlateau", {"factor": 1.0}, "factor must be below 1.*got 1.0"),
        ("RemoteMonitor", {"root": "file:///etc"}, "http://.*got 'file:///etc'"),
    ],
)
def test_bad_arguments_are_named(kind, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(callbacks, kind)(**arguments)


def test_an_unknown_mode_falls_back_to_auto_with_a_warning():
    with pytest.warns(UserWarning, match="got 'best'"):
        callback = callbacks.EarlyStopping(mode="best")
    assert callback.mode == "auto"


def test_an_unknown_field_of_the_path_is_named_with_those_there_are():
    with pytest.raises(KeyError, match=r"has the field 'val_acc'.*There are: epoch, loss"):
        drive(callbacks.ModelCheckpoint("{val_acc}.keras"), [{"loss": 1.0}])


def test_a_directory_is_no_checkpoint(tmp_path):
    (tmp_path / "a.keras").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.keras.*Pass the path of a file"):
        drive(callbacks.ModelCheckpoint(tmp_path / "a.keras"), [{"loss": 1.0}])


def test_callbacks_can_be_used_again():
    stopping = callbacks.EarlyStopping(patience=1)
    for _ in range(2):
        _, seen = drive(stopping, epochs_of([1.0, 1.0, 1.0]))
        assert len(seen) == 2


def test_messages_tell_what_happens(capsys):
    course = epochs_of([1.0, 2.0])
    drive(callbacks.EarlyStopping(verbose=1, restore_best_weights=True), course)
    drive(callbacks.ModelCheckpoint("a.keras", verbose=1, save_best_only=True), course)
    drive(callbacks.ReduceLROnPlateau(verbose=1, patience=1), course)
    assert capsys.readouterr().out.splitlines() == [
        "Epoch 2: early stopping",
        "Restoring the weights of the best epoch, 1",
        "Epoch 1: val_loss improved from nothing to 1.00000; saving to a.keras",
        "Epoch 2: val_loss did not improve from 1.00000",
        "Epoch 2: the learning rate is reduced to 0.01",
    ]
