"""A second process takes its programs from disk, and only where they are the right ones."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.models import Sequential
from slipstream.training import step
from slipstream.utils import clear_session, set_random_seed

X = np.random.default_rng(0).normal(size=(40, 4)).astype("f")
Y = (X[:, :1] > 0).astype("f")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and no compile cache of JAX's that could hide a compile."""
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    monkeypatch.setattr("slipstream.core.engine.enable_cache", lambda: None)
    return tmp_path / "programs"


def train(layer=None, optimizer="adam", **compiled):
    """What a new process would do: the same names, the same seed."""
    clear_session()
    set_random_seed(0)
    stack = [layers.Dense(3, "relu", input_dim=4), layer or layers.Dropout(0.5)]
    model = Sequential([*stack, layers.Dense(1, "sigmoid")])
    model.compile(optimizer, "binary_crossentropy", **{"metrics": ["accuracy"], **compiled})
    history = model.fit(X, Y, epochs=3, batch_size=16, verbose=0, validation_split=0.25)
    return history.history


@pytest.fixture
def no_trace(monkeypatch):
    """From its call on, tracing a model is an error."""

    def refuse(*_, **__):
        raise AssertionError("traced")

    return lambda: monkeypatch.setattr(step, "forward", refuse)


def test_the_second_run_traces_nothing_and_gives_the_same_bits(cache, no_trace):
    first = train()
    assert any(cache.iterdir())
    no_trace()
    assert train() == first


CHANGES = {
    "rate": {"layer": lambda: layers.Dropout(0.4)},
    "layer": {"layer": lambda: layers.Activation("tanh")},
    "optimizer": {"optimizer": "sgd"},
    "metrics": {"metrics": ["mse"]},
    "loss weight": {"loss_weights": 2.0},
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_model_takes_no_program_of_this_one(change, cache, no_trace):
    train()
    no_trace()
    arguments = {k: v() if callable(v) else v for k, v in CHANGES[change].items()}
    with pytest.raises(AssertionError, match="traced"):
        train(**arguments)


class Own(layers.Layer):
    def call(self, inputs):
        return inputs * 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"layer": Own()},
        {"metrics": [lambda y_true, y_pred: (y_true - y_pred) ** 2]},
        {"layer": layers.Activation(lambda x: x * 2)},
    ],
)
def test_what_a_configuration_does_not_say_is_not_kept(arguments, cache):
    train(**arguments)
    assert not cache.exists()


@pytest.mark.parametrize("spoil", ["cut", "changed", "open to others"])
def test_spoilt_files_are_passed_over(spoil, cache):
    first = train()
    for path in cache.iterdir():
        content = path.read_bytes()
        if spoil == "cut":
            path.write_bytes(content[:-10])
        elif spoil == "changed":
            path.write_bytes(content[:40] + b"x" + content[41:])
        else:
            os.chmod(path, 0o666)
    assert train() == first


def test_files_others_can_write_are_not_read(cache, no_trace):
    train()
    for path in cache.iterdir():
        os.chmod(path, 0o666)
    no_trace()
    with pytest.raises(AssertionError, match="traced"):
        train()


def test_switched_off(cache, monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPSTREAM_CACHE", "off")
    train()
    assert list(tmp_path.iterdir()) == []
    assert slipstream.config.cache_dir().name == "slipstream"


SCRIPT = """
import numpy as np
from slipstream.layers import LSTM, Dense
from slipstream.models import Sequential
from slipstream.utils import set_random_seed
set_random_seed(0)
model = Sequential([LSTM(3), Dense(1)])
model.compile("adam", "mse")
x = np.ones((8, 4, 2), "f")
print(model.fit(x, x[:, 0, :1], epochs=2, batch_size=4, verbose=0).history["loss"])
"""


def test_a_program_found_in_the_compile_cache_is_not_kept_without_its_functions(tmp_path):
    def run():
        environment = {**os.environ, "SLIPSTREAM_CACHE": str(tmp_path)}
        command = [sys.executable, "-c", SCRIPT]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    first = run()
    shutil.rmtree(tmp_path / "programs")
    assert run() == first
    assert run() == first
