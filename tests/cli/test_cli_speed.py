"""`slipstream speed`."""

import json

import pytest

from slipstream.layers import Dense, Embedding, Flatten, Input
from slipstream.models import Sequential
from slipstream.speed import ceilings
from slipstream.speed.ceilings import ROUGH


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(ceilings, "measure", lambda: ROUGH)


def saved(path, compiled=True):
    model = Sequential([Input((5,), dtype="int32"), Embedding(7, 3), Flatten(), Dense(2)])
    if compiled:
        model.compile("adam", "mse")
    model.save(path)
    return str(path)


def test_a_model_is_measured_on_made_up_data(slipstream, tmp_path):
    picture = tmp_path / "roof.svg"
    arguments = ["speed", saved(tmp_path / "m.keras"), "--batch-size", "4"]
    code, out, _ = slipstream(*arguments, "--picture", str(picture))
    assert code == 0 and "embedding" in out and "batches of 4" in out
    assert picture.read_text().startswith("<svg")


def test_json_and_a_model_that_is_not_compiled(slipstream, tmp_path):
    code, out, _ = slipstream("speed", saved(tmp_path / "m.keras", False), "--json")
    found = json.loads(out)
    assert code == 0 and found["batch_size"] == 32 and found["step"] is None
    assert [row["class"] for row in found["layers"]] == ["Embedding", "Flatten", "Dense"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["none.keras"], "no file"),
        (["{model}", "--batch-size", "0"], "at least 1"),
        (["{text}"], "cannot be read"),
        (["{model}", "--picture", "{model}.bmp"], ".svg"),
    ],
)
def test_what_cannot_be_done_is_said(slipstream, tmp_path, arguments, why):
    (tmp_path / "text.keras").write_text("no model")
    names = {"model": saved(tmp_path / "m.keras"), "text": str(tmp_path / "text.keras")}
    code, _, error = slipstream("speed", *(word.format(**names) for word in arguments))
    assert code != 0 and why in error
