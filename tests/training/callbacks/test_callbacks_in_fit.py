"""Callbacks at work in a real `fit`."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import slipstream
import slipstream.optimizers
from slipstream import callbacks
from slipstream.core.random import set_random_seed
from slipstream.layers import Dense, Input
from slipstream.models import Sequential
from slipstream.optimizers import SGD
from slipstream.training.program import LoopProgram

X = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)
START = [np.array([[0.5], [-0.5], [0.1]], np.float32), np.zeros(1, np.float32)]


def make(optimizer="sgd"):
    model = Sequential([Input((3,)), Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    model.set_weights(START)
    return model


def make_keras(optimizer="sgd"):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(optimizer, "mse", metrics=["mae"])
    model.set_weights(START)
    return model


def fit(model, *used, epochs=4, x=X, y=Y, **arguments):
    return model.fit(
        x, y, batch_size=16, epochs=epochs, verbose=0, shuffle=False, callbacks=list(used),
        **arguments,
    )  # fmt: skip


def dispatches(monkeypatch):
    """Numbers of batches that programs run from here on."""
    counts = []
    call = LoopProgram.__call__

    def spy(self, carry, frozen, data, order, start, count, **rest):
        counts.append(count)
        return call(self, carry, frozen, data, order, start, count, **rest)

    monkeypatch.setattr(LoopProgram, "__call__", spy)
    return counts


def test_callbacks_without_batch_hooks_leave_whole_epochs_to_a_dispatch(monkeypatch, tmp_path):
    counts = dispatches(monkeypatch)
    quiet = [
        callbacks.TerminateOnNaN(),
        callbacks.EarlyStopping("loss", patience=9),
        callbacks.ModelCheckpoint(tmp_path / "a.weights.h5", save_weights_only=True),
        callbacks.BackupAndRestore(tmp_path / "backup"),
        callbacks.LearningRateScheduler(lambda epoch, rate: rate),
    ]
    fit(make(), *quiet, epochs=2)
    assert counts == [4, 4]
    fit(make(), *quiet, callbacks.LambdaCallback(on_train_batch_end=lambda *_: None), epochs=1)
    assert counts == [4, 4, 1, 1, 1, 1]


def test_rates_and_figures_are_those_of_keras():
    histories = []
    for library, model in ((callbacks, make()), (keras.callbacks, make_keras())):
        used = [
            library.LearningRateScheduler(lambda epoch, rate: rate * (3.0 if epoch == 1 else 1.0)),
            library.ReduceLROnPlateau("mae", factor=0.5, patience=1, min_delta=0.3),
            library.EarlyStopping("mae", patience=4),
        ]
        histories.append(fit(model, *used, epochs=8).history)
    ours, theirs = histories
    assert sorted(ours) == sorted(theirs) == ["learning_rate", "loss", "mae"]
    assert len(set(ours["learning_rate"])) > 3
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=2e-5)


def test_the_best_weights_come_back_after_the_training():
    model = make(SGD(0.9))  # diverges
    seen = []
    spy = callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(model.get_weights()))
    stopping = callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True)
    history = fit(model, spy, stopping, epochs=20).history["loss"]
    best = int(np.argmin(history))
    assert len(history) == best + 3 == stopping.stopped_epoch + 1
    for value, wanted in zip(model.get_weights(), seen[best], strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("each", [False, True])
def test_an_infinite_loss_ends_the_training_in_its_epoch(each, capsys):
    y = Y.copy()
    y[20] = 1e30
    extra = [callbacks.LambdaCallback(on_train_batch_end=lambda *_: None)] if each else []
    history = fit(make(), callbacks.TerminateOnNaN(), *extra, y=y, epochs=5)
    assert history.epoch == [0]
    assert ("inf after batch 2:" if each else "inf after batch 4:") in capsys.readouterr().out


def test_checkpoints_hold_the_weights_of_their_epoch(tmp_path):
    model = make()
    seen = []
    spy = callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(model.get_weights()))
    path = tmp_path / "new" / "{epoch:02d}.weights.h5"
    fit(model, callbacks.ModelCheckpoint(path, save_weights_only=True), spy, epochs=3)
    assert sorted(p.name for p in path.parent.iterdir()) == [
        f"{epoch:02d}.weights.h5" for epoch in (1, 2, 3)
    ]
    model.load_weights(path.parent / "02.weights.h5")
    for value, wanted in zip(model.get_weights(), seen[1], strict=True):
        np.testing.assert_array_equal(value, wanted)


# ---- averaged weights ----------------------------------------------------------------------------


def ema(library):
    return library.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5)


@pytest.mark.parametrize("swap_on_epoch", [False, True])
def test_averages_are_judged_as_in_keras(swap_on_epoch):
    results = []
    for library, model in (
        (slipstream, make(ema(slipstream))), (keras, make_keras(ema(keras)))
    ):  # fmt: skip
        seen = []
        used = [
            library.callbacks.SwapEMAWeights(swap_on_epoch),
            library.callbacks.LambdaCallback(
                on_epoch_end=lambda epoch, logs, m=model, s=seen: s.append(m.get_weights()[0])
            ),
        ]
        history = fit(model, *used, validation_data=(X, Y))
        results.append((history.history, np.array(seen), model.get_weights()))
    ours, theirs = results
    for name, values in theirs[0].items():
        np.testing.assert_allclose(ours[0][name], values, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-4)
    for value, wanted in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-7)


def test_training_under_swapping_is_training_without():
    weights = []
    for swap in (callbacks.SwapEMAWeights(), callbacks.SwapEMAWeights(True), callbacks.History()):
        set_random_seed(0)
        model = make(SGD(0.1, use_ema=True, ema_momentum=0.5))
        fit(model, swap, callbacks.EarlyStopping("loss", patience=0, min_delta=9.0))
        fit(model, swap, epochs=1)
        weights.append(model.get_weights())
    for value, wanted in zip(weights[0] + weights[1], weights[2] * 2, strict=True):
        np.testing.assert_array_equal(value, wanted)


@pytest.mark.parametrize("call", ["evaluate", "predict"])
def test_weights_come_back_after_a_look_at_the_averages(call):
    model = make(SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=1000))
    fit(model, epochs=1)
    model.set_weights(START)
    averages = [model.optimizer._own.averages[i].numpy() for i in range(2)]
    swap = callbacks.SwapEMAWeights()
    if call == "predict":
        found = model.predict(X, verbose=0, callbacks=[swap])
        np.testing.assert_allclose(found, X @ averages[0] + averages[1], rtol=1e-4, atol=1e-6)
    else:
        found = model.evaluate(X, Y, verbose=0, callbacks=[swap], return_dict=True)["mae"]
        wanted = np.abs(X @ averages[0] + averages[1] - Y).mean()
        assert found == pytest.approx(wanted, rel=1e-4)
    for value, wanted in zip(model.get_weights(), START, strict=True):
        np.testing.assert_array_equal(value, wanted)


def test_an_optimizer_without_averages_is_named():
    with pytest.raises(ValueError, match=r"SGD.*Create it with use_ema=True"):
        make().evaluate(X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
