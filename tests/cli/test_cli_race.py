"""`slipstream race`: both sides really run, and a difference between them is found."""

import json

import keras
import numpy as np
import pytest

from slipstream.cli.problem import Problem
from slipstream.cli.race import race

SCRIPT = """
import numpy as np
from tensorflow import keras
from tensorflow.keras import layers
from keras.models import Sequential
print("something on the standard output")
x = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
y = (x[:, 0] > 0).astype("float32")
model = Sequential()
model.add(layers.Dense(units=5, activation="relu", input_shape=(4,)))
model.add(keras.layers.Dense(units=1, activation="sigmoid"))
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=5, batch_size=16, check=True, callbacks=[keras.callbacks.EarlyStopping()])
raise SystemExit("the race ends at the first fit")
"""


def run(capfd, target, **options):
    code = race(target, as_json=True, rounds=1, **options)
    return code, json.loads(capfd.readouterr().out)


def test_a_script_agrees_and_both_speeds_are_given(tmp_path, capfd):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    code, found = run(capfd, script, epochs=2)
    assert code == 0 and found["agree"]
    assert found["parameters"] == 31
    assert found["dropped"] == ["callbacks", "check"] and not found["random"]
    assert [each["what"] for each in found["agreement"]] == [
        "outputs before training",
        "losses of all epochs",
        "change of the weights",
    ]
    for side in ("keras", "slipstream"):
        assert all(seconds > 0 for seconds in found["seconds"][side].values())


def test_a_saved_model_agrees(tmp_path, capfd):
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dropout(0.5), keras.layers.Dense(3)])
    model.compile("sgd", "mse")
    model.save(tmp_path / "m.keras")
    code, found = run(capfd, tmp_path / "m.keras", rows=40)
    assert code == 0
    assert found["random"] == ["dropout"] or len(found["random"]) == 1


def test_a_difference_is_found(tmp_path, capfd):
    script = tmp_path / "script.py"
    wrong = SCRIPT.replace("epochs=5", "epochs=5, class_weight={0: 1.0, 1: WEIGHT}").replace(
        "import numpy as np",
        "import sys, numpy as np\nWEIGHT = 3.0 if 'slipstream' in sys.modules else 1.0",
    )
    script.write_text(wrong)
    code, found = run(capfd, script, epochs=1)
    assert code == 1 and not found["agree"]
    outputs, losses, weights = found["agreement"]
    assert outputs["difference"] < 1e-4
    assert losses["difference"] > losses["allowed"] and weights["difference"] > weights["allowed"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("import keras\n", "ended without calling fit"),
        ("import keras\nkeras.layers.Densest(3)\n", "keras: AttributeError"),
    ],
)
def test_a_script_that_fails_is_explained(content, message, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(content)
    with pytest.raises(Problem, match=message):
        race(script)


def test_bad_targets(tmp_path):
    with pytest.raises(Problem, match="no file"):
        race(tmp_path / "nothing.py")
    np.save(tmp_path / "x.npy", np.zeros(1))
    with pytest.raises(Problem, match="neither a script"):
        race(tmp_path / "x.npy")
