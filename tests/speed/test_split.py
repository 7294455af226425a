"""What a run says about its speed: runs throttled on purpose are seen through."""

import time

import numpy as np
import pytest

from slipstream.callbacks import Callback
from slipstream.layers import Dense, Input
from slipstream.models import Sequential
from slipstream.speed import ceilings, split
from slipstream.speed.ceilings import ROUGH
from slipstream.speed.split import diagnose, sentence
from slipstream.speed.words import percent, quantity, span

ROWS = np.random.default_rng(0).random((256, 8), "float32")


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine whose ceilings are known."""
    monkeypatch.setattr(ceilings, "kept", lambda: ROUGH)


def network(width=4):
    model = Sequential([Input((8,)), Dense(width, activation="relu"), Dense(1)])
    model.compile("sgd", "mse")
    return model


def warm(model, *data, **arguments):
    """The speed of a second `fit`, for which nothing is compiled any more."""
    model.fit(*data, verbose=0, **arguments)
    begin = time.perf_counter()
    found = model.fit(*data, verbose=0, **arguments).speed
    return found, time.perf_counter() - begin


class Slow:
    """Batches that take their time."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __iter__(self):
        for start in range(0, 256, 32):
            time.sleep(self.seconds)
            yield ROWS[start : start + 32], ROWS[start : start + 32, :1]


class Heavy(Callback):
    """A callback that takes its time."""

    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.1)


def test_slow_input_is_seen():
    found, wall = warm(network(), Slow(0.03), epochs=2)
    assert found["bound"] == "input" and found["gain"]["name"] == "input"
    assert found["split"]["data"] == pytest.approx(2 * 8 * 0.03, rel=0.25)
    assert sum(found["split"].values()) == pytest.approx(wall, rel=0.05)


def test_slow_input_hides_no_computing():
    """Steps that run while the next block is made are no waiting."""
    wide = Sequential([Input((8,)), Dense(2048), Dense(2048), Dense(1)])
    wide.compile("sgd", "mse")
    quick, _ = warm(wide, Slow(0.0), epochs=2)
    slow, wall = warm(wide, Slow(0.01), epochs=2)
    assert slow["split"]["train"] > 0.5 * quick["split"]["train"]
    assert sum(slow["split"].values()) == pytest.approx(wall, rel=0.05)


def test_tiny_batches_are_seen():
    found, wall = warm(network(), ROWS, ROWS[:, :1], batch_size=1, epochs=100)
    assert found["bound"] == "dispatch" and found["gain"]["name"] == "larger steps"
    assert (found["steps"], found["samples"]) == (100 * 256, 100 * 256)
    assert found["share"] < 0.1
    assert sum(found["split"].values()) == pytest.approx(wall, rel=0.05)


def test_a_heavy_callback_is_seen():
    found, wall = warm(network(), ROWS, ROWS[:, :1], epochs=5, callbacks=[Heavy()])
    assert found["bound"] == "callbacks" and found["gain"]["part"] == "callbacks"
    assert found["gain"]["seconds"] == pytest.approx(0.5, rel=0.2)
    assert sum(found["split"].values()) == pytest.approx(wall, rel=0.05)


def test_compiling_is_seen():
    found = network(5).fit(ROWS, ROWS[:, :1], verbose=0).speed
    assert found["bound"] == found["gain"]["name"] == "compile"


def test_much_validation_is_seen():
    many = np.repeat(ROWS, 400, 0)
    data = {"validation_data": (many, many[:, :1]), "validation_batch_size": 64}
    found, _ = warm(network(), ROWS, ROWS[:, :1], batch_size=128, epochs=2, **data)
    assert found["bound"] == "validation" and found["samples"] == 512


@pytest.mark.parametrize(
    ("low", "bound"),
    [({"flops": {"float32": 1.0}}, "compute"), ({"bandwidth": (1,) * 5}, "memory")],
)
def test_inside_the_steps_the_lowest_ceiling_bounds(monkeypatch, low, bound):
    from dataclasses import replace

    monkeypatch.setattr(ceilings, "kept", lambda: replace(ROUGH, **low))
    found, _ = warm(network(), np.repeat(ROWS, 40, 0), np.repeat(ROWS, 40, 0)[:, :1], epochs=30)
    assert found["bound"] == bound and found["limit"]["seconds"] == found["limit"][bound]


def test_partial_batches_count_as_many_rows_as_they_have():
    found, _ = warm(network(), ROWS[:100], ROWS[:100, :1], batch_size=32, epochs=3)
    assert (found["steps"], found["samples"]) == (12, 300)
    found, _ = warm(network(), ROWS[:100], ROWS[:100, :1], epochs=3, callbacks=[Heavy()])
    assert (found["steps"], found["samples"], found["dispatches"]) == (12, 300, 3)


def test_the_work_is_that_of_all_steps():
    model = network()
    one = model.fit(ROWS[:64], ROWS[:64, :1], batch_size=64, verbose=0).speed
    four = model.fit(ROWS[:64], ROWS[:64, :1], batch_size=64, epochs=4, verbose=0).speed
    assert four["flops"] == 4 * one["flops"] > 3 * 2 * 64 * (8 * 4 + 4)
    assert four["bytes"] == pytest.approx(4 * one["bytes"])


def test_without_ceilings_no_share_is_told(monkeypatch, capsys):
    monkeypatch.setattr(ceilings, "kept", lambda: None)
    monkeypatch.setattr(ceilings, "measure", lambda: pytest.fail("a short run measured"))
    history = network().fit(ROWS, ROWS[:, :1])
    assert history.speed["share"] is history.speed["limit"] is None
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("Speed: ") and "limit" not in line and "bound by " in line


def test_a_long_run_measures_the_machine_and_a_silent_one_never(monkeypatch):
    from slipstream.training import loop

    asked = []
    monkeypatch.setattr(ceilings, "kept", lambda: None)
    monkeypatch.setattr(ceilings, "measure", lambda: asked.append(1))
    monkeypatch.setattr(loop, "MEASURE_AFTER", 0.0)
    network().fit(ROWS, ROWS[:, :1], verbose=0)
    assert asked == []
    network().fit(ROWS, ROWS[:, :1], verbose=2)
    assert asked == [1]


def test_the_line_costs_less_than_a_millisecond():
    history = network().fit(ROWS, ROWS[:, :1], verbose=0)
    spent = []
    for _ in range(20):
        begin = time.perf_counter()
        sentence(history.speed)
        spent.append(time.perf_counter() - begin)
    assert min(spent) < 1e-3


def test_the_line():
    work = {"train": split.Work(2, 10, 1000, ROUGH_COST)}
    found = diagnose({"train": 3.0, "compile": 1.0}, work, ROUGH, predicted=3.5)
    assert sentence(found) == (
        "Speed: 250 samples/s · 25 % of this machine's limit · bound by compute · "
        "most to gain: faster steps, 2 s of 4 s · forecast 3.5 s, took 4 s"
    )
    found = diagnose({"train": 1.2, "compile": 5.0}, work, ROUGH)
    assert "bound by compile · most to gain: compile, 5 s of 6.2 s" in sentence(found)


ROUGH_COST = split.NOTHING._replace(flops=6e10)


@pytest.mark.parametrize(
    ("value", "text"), [(0.614, "61 %"), (1.0, "100 %"), (0.012, "1.2 %"), (0.00034, "0.034 %")]
)
def test_shares_have_two_digits(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3e-6, "3 µs"), (0.0042, "4.2 ms"), (1.234, "1.23 s"), (99.0, "99 s"), (7200, "120 min")],
)
def test_times_have_units(seconds, text):
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0 "), (999, "999 "), (1234567, "1.23 M"), (2e9, "2 G"), (5e12, "5 T")]
)
def test_quantities_are_ready_for_a_unit(value, text):
    assert quantity(value) == text
