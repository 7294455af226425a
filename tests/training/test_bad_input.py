"""Bad input is refused before anything is learned, with the place and a remedy."""

import os
import signal
import threading

import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.core import config
from slipstream.models import Sequential

X = np.random.default_rng(0).normal(size=(40, 4)).astype("f")
CLASSES = np.arange(40) % 3


def model(units=3, activation="softmax", loss="sparse_categorical_crossentropy", **compiled):
    made = Sequential([layers.Input((4,)), layers.Dense(units, activation)])
    made.compile("adam", loss, **compiled)
    return made


def with_value(value, row=7):
    x = X.copy()
    x[row, 2] = value
    return x


CASES = {
    "narrow": (lambda: model().fit(X[:, :3], CLASSES), r"inputs of shape \(None, 4\).*\(40, 3\)"),
    "flat x": (lambda: model().fit(X[:, 0], CLASSES), r"\(None, 4\).*\(40,\)"),
    "two inputs": (lambda: model().fit([X, X], CLASSES), "takes one input; got 2 arrays"),
    "NaN": (lambda: model().fit(with_value(np.nan), CLASSES), r"x holds 1 .*index \(7, 2\)"),
    "infinity": (lambda: model().fit(with_value(np.inf), CLASSES), r"x holds 1 .*inf.*row 7"),
    "NaN in y": (
        lambda: model(1, None, "mse").fit(X, np.where(CLASSES == 1, np.nan, 0.0)),
        r"y holds 13 .*row 1",
    ),
    "NaN in validation": (
        lambda: model().fit(X, CLASSES, validation_data=(with_value(np.nan), CLASSES)),
        r"validation_data: x holds 1",
    ),
    "lengths": (lambda: model().fit(X, CLASSES[:9]), "'x'.*40.*'y'.*9"),
    "weights' length": (
        lambda: model().fit(X, CLASSES, sample_weight=np.ones(3)),
        "'sample_weight'.*3",
    ),
    "empty": (lambda: model().fit(X[:0], CLASSES[:0]), "no rows"),
    "no targets": (lambda: model().fit(X), "y is None"),
    "label too high": (lambda: model().fit(X, CLASSES + 1), "labels from 0 to 2; got 3 in row 2"),
    "label below 0": (lambda: model().fit(X, CLASSES - 1), "got -1 in row 0"),
    "one-hot": (lambda: model().fit(X, np.eye(3)[CLASSES]), "use 'categorical_crossentropy'"),
    "numbers for one-hot": (
        lambda: model(loss="categorical_crossentropy").fit(X, CLASSES),
        "use the loss 'sparse_categorical_crossentropy'",
    ),
    "one output for classes": (lambda: model(1, "sigmoid").fit(X, CLASSES), "Use 'binary_cross"),
    "binary out of range": (
        lambda: model(1, "sigmoid", "binary_crossentropy").fit(X, CLASSES),
        "between 0 and 1; got values from 0 to 2",
    ),
    "outputs and targets": (
        lambda: model(3, None, "mse").fit(X, X),
        r"each output has shape \(3,\), each target \(4,\)",
    ),
    "unknown loss": (lambda: model(loss="msee"), "Unknown loss: 'msee'. Did you mean 'mse'"),
    "unknown optimizer": (lambda: model().compile("sdg"), "Did you mean 'sgd'"),
    "unknown metric": (lambda: model(metrics=["acuracy"]), "Unknown metric: 'acuracy'. Did you"),
    "uncompiled": (
        lambda: Sequential([layers.Dense(1, input_dim=4)]).fit(X, CLASSES),
        r"Call compile\(optimizer",
    ),
    "uncompiled evaluate": (
        lambda: Sequential([layers.Dense(1, input_dim=4)]).evaluate(X, CLASSES),
        r"Call compile\(optimizer",
    ),
    "batch size": (lambda: model().fit(X, CLASSES, batch_size=0), "batch_size must be"),
    "validation share": (lambda: model().fit(X, CLASSES, validation_split=1.5), "between 0 and 1"),
    "used up": (lambda: model().fit(iter([])), "gave no batch"),
    "losses for outputs": (lambda: model(loss=["mse", "mse"]).fit(X, CLASSES), "2 entries.*1 out"),
    "loss for a name": (lambda: model(loss={"b": "mse"}).fit(X, CLASSES), "output 'b'"),
    "prediction": (lambda: model().predict(X[:, :2]), r"\(None, 4\).*\(40, 2\)"),
    "batch": (lambda: model().train_on_batch(X[:5], CLASSES[:4]), "'x'.*5.*'y'.*4"),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    run, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        run()


@pytest.mark.parametrize("bad", [X.astype(str), X.astype(complex)])
def test_types_without_numbers(bad):
    with pytest.raises(TypeError, match="computes on numbers only"):
        model().fit(bad, CLASSES)


def test_what_is_no_callback():
    with pytest.raises(TypeError, match="is no callback"):
        model().fit(X, CLASSES, callbacks=["early"], verbose=0)


def test_refused_data_leave_the_weights_alone():
    made = model()
    before = made.get_weights()
    with pytest.raises(ValueError, match="NaN"):
        made.fit(with_value(np.nan), CLASSES)
    for a, b in zip(before, made.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_the_check_for_nan_can_be_switched_off():
    config.set_check_data(False)
    try:
        history = model().fit(with_value(np.nan), CLASSES, verbose=0)
    finally:
        config.set_check_data(True)
    assert np.isnan(history.history["loss"][0])


def test_large_finite_values_are_no_infinity():
    made = model(1, None, "mse")
    big = np.full((40, 4), 3e38, "f")
    with np.errstate(over="ignore"):
        made.fit(big, np.zeros(40), verbose=0)


def test_an_error_of_a_generator_arrives_as_itself():
    def broken():
        yield X, CLASSES
        yield X, CLASSES
        raise KeyError("row 3 of the file")

    made = model()
    with pytest.raises(KeyError, match="row 3 of the file"):
        made.fit(broken(), steps_per_epoch=5, verbose=0)
    assert np.isfinite(made.get_weights()[0]).all()


def interrupt_after(seconds):
    timer = threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()


def test_ctrl_c_ends_cleanly_and_keeps_what_was_learned(capsys):
    made = model()
    made.fit(X, CLASSES, epochs=2, verbose=0)
    before = made.get_weights()
    told = []
    callback = slipstream.callbacks.LambdaCallback(on_train_end=lambda logs: told.append(logs))
    handler = signal.getsignal(signal.SIGINT)
    interrupt_after(0.5)
    history = made.fit(X, CLASSES, epochs=10_000_000, verbose=0, callbacks=[callback])
    assert 0 < len(history.history["loss"]) < 10_000_000
    assert made.interrupted
    assert len(told) == 1
    assert signal.getsignal(signal.SIGINT) is handler
    assert any((a != b).any() for a, b in zip(before, made.get_weights()))
    assert np.isfinite(made.evaluate(X, CLASSES, verbose=0))
    assert "kept" in capsys.readouterr().err
    made.fit(X, CLASSES, verbose=0)
    assert not made.interrupted
