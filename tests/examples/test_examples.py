"""The examples: each builds and learns (always), and reaches what it states (long)."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from slipstream import datasets

FOLDER = Path(__file__).parents[2] / "examples"


def example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def images(rng, module):
    return module.build_model(), rng.integers(0, 256, (4, 28, 28, 1)), rng.integers(0, 10, 4)


def sentences(rng, module):
    words = rng.integers(1, module.WORDS, (4, module.LENGTH))
    words[0, 3:] = 0  # padding, which the models leave out
    return module.build_model(), words, rng.integers(0, 2, 4)


def letters(rng, module):
    text = rng.integers(2, 30, 4 * module.LENGTH + 1)
    return module.build_model(30, 2), *module.windows(text)


def weather(rng, module):
    days = rng.normal(size=(module.PAST + module.FUTURE + 3, 6)).astype("float32")
    x, y = module.windows(days, days[:, 3], module.PAST, len(days))
    return module.build_model(days, days[:, 3]), x, y


def digits(rng, module):
    names = rng.integers(1, len(module.LETTERS) + 1, (4, module.LENGTH))
    names[0, 3:] = 0  # padding
    x = {
        "image": rng.normal(size=(4, 28, 28, 1)),
        "text": names,
        "audio": rng.normal(size=(4, module.SAMPLES)),
        "there": np.array([[1, 1, 1], [1, 0, 1], [0, 1, 1], [1, 1, 0]]),
    }
    return module.build_model(), x, rng.integers(0, 10, 4)


MADE = {
    "fusion_digits": digits,
    "image_cnn": images,
    "small_resnet": images,
    "text_lstm": sentences,
    "text_transformer": sentences,
    "character_gpt": letters,
    "timeseries_forecast": weather,
}


def test_each_example_is_tested():
    assert {path.stem for path in FOLDER.glob("*.py")} == set(MADE) == set(STATED)


@pytest.mark.parametrize("name", MADE)
def test_the_model_of_an_example_learns(rng, name):
    model, x, y = MADE[name](rng, example(name))
    assert {len(part) for part in jax.tree.leaves(x)} == {len(y)} == {4}
    before = [np.array(variable) for variable in model.trainable_variables]
    history = model.fit(x, y, batch_size=2, epochs=1, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    after = [np.array(variable) for variable in model.trainable_variables]
    moved = [not np.array_equal(old, new) for old, new in zip(before, after)]
    assert all(moved), [v.path for v, m in zip(model.trainable_variables, moved) if not m]
    prediction = model.predict(x, verbose=0)
    assert len(prediction) == 4 and np.isfinite(prediction).all()


def test_windows_of_letters_are_one_letter_apart():
    module = example("character_gpt")
    text = np.arange(3 * module.LENGTH + 5)
    x, y = module.windows(text)
    assert x.shape == y.shape == (3, module.LENGTH)
    np.testing.assert_array_equal(y, x + 1)


def test_windows_of_days_end_where_the_forecast_begins():
    module = example("timeseries_forecast")
    days = np.arange(40.0)[:, None]
    begin, end = 20, 40
    x, y = module.windows(days, days[:, 0], begin, end)
    assert x.shape == (end - begin - module.FUTURE + 1, module.PAST, 1)
    np.testing.assert_array_equal(x[:, -1, 0] + 1, y[:, 0])
    assert y[0, 0] == begin and y[-1, -1] == end - 1


def test_digits_are_spoilt_and_missing_as_stated(monkeypatch):
    module = example("fusion_digits")
    draw = np.random.default_rng(0)
    sets = {
        "mnist_5k": SimpleNamespace(
            x=draw.integers(0, 256, (5000, 28, 28)).astype("uint8"), y=np.arange(5000) % 10
        ),
        "spoken_digits": SimpleNamespace(x=draw.normal(size=(50, 600)).astype("float32")),
    }
    monkeypatch.setattr(module.datasets, "load", sets.__getitem__)
    parts = module.load_data()
    assert [len(y) for _, y in parts] == [3500, 500, 1000]
    x, y = parts[2]
    there = x["there"] > 0
    assert there.any(1).all() and np.abs(there.mean(0) - 0.8).max() < 0.05
    for kind, known in zip(module.KINDS, there.T):
        assert not x[kind][~known].any()
        assert x[kind][known].reshape(known.sum(), -1).any(1).all()
    names = np.array([module.spell(name) for name in module.NAMES]).reshape(5, 10, -1)
    seen, hidden = x["text"][there[:, 1]], len(module.LETTERS) + 1
    fit = (seen[:, None] == names[:, y[there[:, 1]]].swapaxes(0, 1)) | (seen[:, None] == hidden)
    assert fit.all(2).any(1).all()  # it is the digit's name in one of the languages
    assert abs((seen == hidden).sum() / (seen != 0).sum() - 0.6) < 0.03


# What the docstrings and docs/examples.md state: the dataset, the pattern of the line, and the
# range that other machines and versions may give.
STATED = {
    "fusion_digits": (
        "spoken_digits",
        r"image \+ text \+ audio: test accuracy: ([\d.]+)",
        0.85,
        1.0,
    ),
    "image_cnn": ("mnist_5k", r"test accuracy: ([\d.]+)", 0.945, 1.0),
    "small_resnet": ("mnist_5k", r"test accuracy: ([\d.]+)", 0.96, 1.0),
    "text_lstm": ("movie_sentiment", r"test accuracy: ([\d.]+)", 0.75, 1.0),
    "text_transformer": ("movie_sentiment", r"test accuracy: ([\d.]+)", 0.75, 1.0),
    "character_gpt": ("shakespeare", r"([\d.]+) bits a letter", 1.0, 2.8),
    "timeseries_forecast": ("seattle_weather", r"of the model: ([\d.]+)", 1.0, 3.0),
}


@pytest.mark.long
@pytest.mark.parametrize("name", STATED)
def test_an_example_reaches_what_it_states(name):
    data, pattern, lowest, highest = STATED[name]
    entry = next(entry for entry in datasets.entries() if entry.name == data)
    if entry.find() is None:
        pytest.skip(f"{data} is not on this machine; get it with: {entry.remedy}")
    settings = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py"], capture_output=True, text=True, env=settings
    )
    assert done.returncode == 0, done.stderr
    found = re.search(pattern, done.stdout)
    assert found, done.stdout
    assert lowest <= float(found[1]) <= highest, done.stdout
    if name == "timeseries_forecast":
        naive = [float(number) for number in re.findall(r", as .*: ([\d.]+)", done.stdout)]
        assert len(naive) == 2 and float(found[1]) < 0.95 * min(naive), done.stdout
    if name == "fusion_digits":  # better than each alone, where nothing is missing too
        each = re.findall(r"test accuracy: ([\d.]+), with nothing missing: ([\d.]+)", done.stdout)
        *alone, fused = np.array(each, float)
        assert len(alone) == 3 and (fused > np.max(alone, 0) + 0.04).all(), done.stdout
