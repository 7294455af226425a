"""`StochasticWeightAveraging`: what is averaged, statistics taken anew, exact resume."""

import signal

import numpy as np
import pytest

from slipstream import callbacks, layers
from slipstream.core.random import set_random_seed
from slipstream.models import Model, Sequential

ROWS = 22  # the last batch of 8 is short


@pytest.fixture
def rows(rng):
    x = rng.normal(2.0, 3.0, size=(ROWS, 3)).astype("f")
    return x, x.sum(1, keepdims=True)


def network(*between, optimizer="adam"):
    model = Sequential([layers.Input((3,)), layers.Dense(4), *between, layers.Dense(1)])
    model.compile(optimizer, "mse")
    return model


class Seen(callbacks.Callback):
    """Keeps the weights at the end of each epoch, and the rate in it."""

    def __init__(self):
        super().__init__()
        self.weights, self.rates = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append([v.numpy() for v in self.model.trainable_variables])
        self.rates.append(float(self.model.optimizer.learning_rate))


def mean(weights):
    return [np.mean(same, 0, dtype="d") for same in zip(*weights)]


def same(model, wanted):
    for variable, value in zip(model.trainable_variables, wanted, strict=True):
        np.testing.assert_allclose(variable.numpy(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [
        ({}, [6, 7]),
        ({"start": 0}, range(8)),
        ({"start": 0.0}, range(8)),
        ({"start": 3, "every": 2}, [3, 5, 7]),
        ({"start": 0.5, "every": 3}, [4, 7]),
    ],
    ids=str,
)
def test_the_end_is_the_mean_of_the_chosen_epochs(rows, arguments, epochs):
    model, seen = network(), Seen()
    swa = callbacks.StochasticWeightAveraging(**arguments)
    model.fit(*rows, batch_size=8, epochs=8, verbose=0, callbacks=[seen, swa])
    assert swa.averaged == len(epochs)
    same(model, mean([seen.weights[i] for i in epochs]))


def test_training_goes_on_as_without_it_but_for_its_learning_rate(rows):
    found = []
    for swa in ([], [callbacks.StochasticWeightAveraging(2, learning_rate=0.25)]):
        set_random_seed(1)
        model, seen = network(), Seen()
        model.fit(*rows, batch_size=8, epochs=4, verbose=0, callbacks=[seen, *swa])
        found.append(seen)
    same_until = [np.allclose(a[0], b[0]) for a, b in zip(*(s.weights for s in found))]
    assert same_until == [True, True, False, False]
    assert found[1].rates == pytest.approx([0.001, 0.001, 0.25, 0.25])


def test_statistics_are_those_of_the_averaged_weights(rows):
    norm = layers.BatchNormalization()
    frozen = layers.BatchNormalization(trainable=False)
    model = network(norm, layers.GaussianNoise(0.0), frozen)
    before = [v.numpy() for v in frozen.variables]
    swa = callbacks.StochasticWeightAveraging(1)
    model.fit(*rows, batch_size=8, epochs=3, shuffle=False, verbose=0, callbacks=[swa])
    kernel, bias = (v.numpy().astype("d") for v in model.layers[0].trainable_variables)
    hidden = rows[0] @ kernel + bias
    parts, sizes = [hidden[:8], hidden[8:16], hidden[16:]], [8, 8, 6]
    # Batches were drawn in this order, so the figures are exact and not only alike.
    np.testing.assert_allclose(
        norm.moving_mean.numpy(), np.average([p.mean(0) for p in parts], 0, sizes), rtol=1e-5
    )
    np.testing.assert_allclose(
        norm.moving_variance.numpy(), np.average([p.var(0) for p in parts], 0, sizes), rtol=1e-5
    )
    for variable, value in zip(frozen.variables[2:], before[2:]):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert norm.momentum == 0.99


def test_statistics_of_convolutions_and_of_streamed_batches(rng):
    images = rng.normal(1.0, 2.0, size=(10, 5, 5, 2)).astype("f")
    norm = layers.BatchNormalization()
    x = layers.Input((5, 5, 2))
    y = layers.GlobalAveragePooling2D()(norm(layers.Conv2D(3, 2)(x)))
    model = Model(x, layers.Dense(1)(y))
    model.compile("sgd", "mse")
    batches = [(images[i : i + 4], images[i : i + 4, 0, 0, :1]) for i in (0, 4, 8)]
    swa = callbacks.StochasticWeightAveraging(0)
    model.fit(Batches(batches), epochs=2, verbose=0, callbacks=[swa])
    hidden = np.asarray(model.layers[1](images))
    np.testing.assert_allclose(norm.moving_mean.numpy(), hidden.mean((0, 1, 2)), rtol=1e-4)


def test_batches_that_come_only_once_leave_a_warning(rows):
    def batches():
        for _ in range(4):
            yield rows

    model = network(layers.BatchNormalization())
    with pytest.warns(UserWarning, match="no batch after training"):
        model.fit(
            batches(), epochs=2, steps_per_epoch=2, verbose=0,
            callbacks=[callbacks.StochasticWeightAveraging(0)],
        )  # fmt: skip


class Batches:
    """Batches that can be read again."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


class Killed(Exception):
    """Stands for a kill."""


@pytest.mark.parametrize("backup_first", [False, True])
@pytest.mark.parametrize("at", [1, 3, 4])
def test_a_killed_run_goes_on_with_the_mean(rows, tmp_path, at, backup_first):
    def run(folder, *more):
        set_random_seed(4)
        model = network(layers.BatchNormalization(), layers.Dropout(0.3))
        swa = callbacks.StochasticWeightAveraging(start=2)
        both = [swa, callbacks.BackupAndRestore(tmp_path / folder)]
        both = both[::-1] if backup_first else both
        model.fit(*rows, batch_size=8, epochs=6, verbose=0, callbacks=[*both, *more])
        assert swa.averaged == 4
        return [v.numpy() for v in model.variables]

    def kill(epoch, logs):
        if epoch == at:
            raise Killed

    wanted = run("whole")
    with pytest.raises(Killed):
        run("cut", callbacks.LambdaCallback(on_epoch_begin=kill))
    for a, b in zip(run("cut"), wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_one_callback_over_two_runs(rows):
    seen, swa = Seen(), callbacks.StochasticWeightAveraging(start=1)
    model = network()
    model.fit(*rows, epochs=3, verbose=0, callbacks=[seen, swa])
    model.fit(*rows, epochs=5, initial_epoch=3, verbose=0, callbacks=[seen, swa])
    assert swa.averaged == 4  # it went on
    model.fit(*rows, epochs=2, verbose=0, callbacks=[seen, swa])
    assert swa.averaged == 1  # and started anew


def test_a_run_that_ends_before_the_start_is_told(rows):
    model, seen = network(), Seen()
    stop = callbacks.LambdaCallback(on_epoch_end=lambda *_: setattr(model, "stop_training", True))
    with pytest.warns(UserWarning, match="No epoch came to be averaged"):
        model.fit(
            *rows, epochs=9, verbose=0,
            callbacks=[seen, stop, callbacks.StochasticWeightAveraging()],
        )  # fmt: skip
    same(model, seen.weights[-1])


def test_after_ctrl_c_the_weights_stay(rows):
    def press(epoch, logs):
        if epoch == 2:
            signal.raise_signal(signal.SIGINT)

    model, swa = network(), callbacks.StochasticWeightAveraging(0)
    press = callbacks.LambdaCallback(on_epoch_begin=press)
    model.fit(*rows, epochs=9, batch_size=8, verbose=0, callbacks=[swa, press])
    assert model.interrupted and swa.averaged == 2 and len(model._companions) == 0
    distance = [np.abs(v.numpy() - m.numpy()).max() for v, m in zip(swa._weights, swa._means)]
    assert max(distance) > 1e-4


@pytest.mark.parametrize(
    "bad",
    [
        {"start": -1},
        {"start": 1.0},
        {"start": True},
        {"every": 0},
        {"every": 1.5},
        {"learning_rate": -0.1},
    ],
    ids=str,
)
def test_wrong_arguments(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        callbacks.StochasticWeightAveraging(**bad)
