"""`Model.forecast`: right about time and memory, and without any trace."""

import time

import jax
import numpy as np
import pytest

import slipstream
from slipstream import layers as L
from slipstream.callbacks import Callback
from slipstream.models import Sequential
from slipstream.speed.forecast import Forecast

X = np.random.default_rng(0).random((70, 6, 6, 1), "float32")
Y = X.mean((1, 2))


def network(conv=False):
    slipstream.utils.set_random_seed(5)
    model = Sequential(
        [
            L.Input((6, 6, 1)),
            *([L.Conv2D(2, 3)] if conv else []),
            L.Flatten(),
            L.Dense(8, activation="relu"),
            L.BatchNormalization(),
            L.Dropout(0.3),
            L.Dense(1),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    return model


class Batches:
    """Batches that can be iterated again, each after a pause."""

    def __init__(self, pause=0.0, count=4):
        self.pause, self.count = pause, count

    def __len__(self):
        return self.count

    def __iter__(self):
        for start in range(self.count):
            time.sleep(self.pause)
            yield X[16 * start : 16 * start + 16], Y[16 * start : 16 * start + 16]


class Each(Callback):
    """Sees each batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass


CASES = {
    "several epochs at once": (lambda: network(), {"x": X, "y": Y, "batch_size": 16}),
    "validation": (
        lambda: network(),
        {"x": X, "y": Y, "batch_size": 16, "validation_data": (X[:20], Y[:20])},
    ),
    "a step a dispatch": (lambda: network(True), {"x": X, "y": Y, "batch_size": 16}),
    "batches": (lambda: network(), {"x": Batches()}),
    "each batch seen": (
        lambda: network(),
        {"x": X[:64], "y": Y[:64], "batch_size": 16, "callbacks": [Each()]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_forecast_leaves_no_trace_and_fit_finds_all_compiled(case):
    make, arguments = CASES[case]
    model = make()
    before = model.get_weights()
    found = model.forecast(**arguments, epochs=3, verbose=0)
    for a, b in zip(before, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert int(model.optimizer.iterations) == 0
    programs = set(model._session.train._compiled) | set(model._session.test._compiled)
    state = jax.tree.map(np.array, model._session.live.current())
    model.forecast(**arguments, epochs=3, verbose=0)
    same = jax.tree.map(np.array_equal, state, model._session.live.current())
    assert all(jax.tree.leaves(same))
    history = model.fit(**arguments, epochs=3, verbose=0)
    assert set(model._session.train._compiled) | set(model._session.test._compiled) == programs
    assert model.last_run["compile"] < max(0.2 * found.compile_seconds, 0.02)
    twin = make()
    assert twin.fit(**arguments, epochs=3, verbose=0).history == history.history
    for a, b in zip(twin.get_weights(), model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_between_two_fits_it_leaves_no_trace_either():
    model, twin = network(), network()
    for each in (model, twin):
        slipstream.utils.set_random_seed(1)
        each.fit(X, Y, epochs=2, verbose=0)
        if each is model:
            each.forecast(X, Y, epochs=5, verbose=0)
        assert each.fit(X, Y, epochs=2, verbose=0).history
    assert model.history.history == twin.history.history


def test_the_time_is_about_right_where_the_data_are_slow():
    model = network()
    found = model.forecast(Batches(0.04), epochs=3, verbose=0)
    begin = time.perf_counter()
    history = model.fit(Batches(0.04), epochs=3, verbose=0)
    wall = time.perf_counter() - begin
    assert found.seconds == pytest.approx(wall, rel=0.35)
    told = history.speed["forecast"]
    assert told == {"predicted": found.seconds, "actual": sum(model.last_run.values())}


def test_the_line_before_and_after(capsys):
    model = network()
    found = model.forecast(X, Y, batch_size=16, epochs=2)
    line = capsys.readouterr().out
    assert line == f"{found}\n" and line.startswith("Forecast: ") and " for 2 epochs" in line
    model.fit(X, Y, batch_size=16, epochs=2)
    assert " · forecast " in capsys.readouterr().out.splitlines()[-1]
    model.fit(X, Y, batch_size=16, epochs=2)  # it was about that one run
    assert "forecast" not in capsys.readouterr().out
    model.forecast(X, Y, batch_size=16, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""
    assert model.fit(X, Y, batch_size=8, verbose=0).speed["forecast"] is None  # another run


def test_memory_counts_data_weights_and_optimizer():
    wide = Sequential([L.Input((36,)), L.Dense(3000), L.Dense(1)])
    wide.compile("adam", "mse")
    x, y = np.repeat(X.reshape(70, 36), 200, 0), np.repeat(Y, 200, 0)
    found = wide.forecast(x, y, batch_size=32, epochs=1, verbose=0)
    least = x.nbytes + y.nbytes + 3 * 4 * wide.count_params()
    assert least < found.memory < 4 * least
    data = {"validation_data": (x, y)}
    assert wide.forecast(x, y, 32, verbose=0, **data).memory > found.memory + 0.9 * x.nbytes


def test_what_is_gone_once_taken_is_left_alone():
    taken = []

    def stream():
        for start in range(4):
            taken.append(start)
            yield X[:16], Y[:16]

    with pytest.raises(ValueError, match="iterated again"):
        network().forecast(stream(), steps_per_epoch=4)
    assert taken == []

    class Unknown:
        def __iter__(self):
            yield X[:16], Y[:16]

    with pytest.raises(ValueError, match="steps_per_epoch"):
        network().forecast(Unknown())


def test_a_model_that_is_not_compiled_is_refused():
    with pytest.raises(ValueError, match="not compiled"):
        Sequential([L.Input((6, 6, 1)), L.Flatten(), L.Dense(1)]).forecast(X, Y)


def test_fewer_epochs_take_less():
    told = Forecast(10, 5, 0.1, 0.5, 1.0, 2.0, None)
    assert (told.seconds, told.seconds_for(2)) == (6.0, 2.0)
    assert str(told) == (
        "Forecast: 6 s for 10 epochs · 500 ms an epoch, 100 ms a step · compiled in 2 s"
    )
