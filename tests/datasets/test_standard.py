"""Keras' datasets by name: the same files are asked for, and read to the same arrays."""

import gzip
import importlib
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

import slipstream
from slipstream import datasets
from slipstream.datasets import cifar, fashion_mnist, standard
from slipstream.datasets.objects import read_npz, read_pickle


def words(generator, rows):
    found = np.empty(rows, object)
    found[:] = [generator.integers(1, 30, generator.integers(1, 9)).tolist() for _ in range(rows)]
    return found


def write(folder):
    """A small file in the form of each dataset's own."""
    g = np.random.default_rng(0)
    pixels = lambda n: g.integers(0, 255, (n, 28, 28)).astype(np.uint8)  # noqa: E731
    digit = lambda n: g.integers(0, 9, n).astype(np.uint8)  # noqa: E731
    arrays = {
        "mnist.npz": {"x_train": pixels(5), "y_train": digit(5), "x_test": pixels(3),
                      "y_test": digit(3)},
        "imdb.npz": {"x_train": words(g, 40), "y_train": np.arange(40) % 2, "x_test": words(g, 30),
                     "y_test": np.arange(30) % 2},
        "reuters.npz": {"x": words(g, 50), "y": np.arange(50)},
        "boston_housing.npz": {"x": g.normal(size=(23, 13)), "y": g.normal(size=23)},
        "california_housing.npz": {"x": g.normal(size=(700, 8)).astype("float32"),
                                   "y": g.normal(size=700).astype("float32")},
    }  # fmt: skip
    for name, content in arrays.items():
        np.savez(folder / name, **content)
    for name in ("imdb_word_index.json", "reuters_word_index.json"):
        (folder / name).write_text('{"the": 1, "über": 2}', encoding="utf-8")
    for part, rows in (("train", 4), ("t10k", 2)):
        for what, array in (("images-idx3", pixels(rows)), ("labels-idx1", digit(rows))):
            head = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(
                f">{array.ndim}I", *array.shape
            )
            with gzip.open(folder / f"{part}-{what}-ubyte.gz", "wb") as file:
                file.write(head + array.tobytes())
    ten = folder / "cifar-10-batches-py-target/cifar-10-batches-py"
    hundred = folder / "cifar-100-python-target/cifar-100-python"
    for target, names, rows in (
        (ten, [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"], 10000),
        (hundred, ["train", "test"], 3),
    ):
        target.mkdir(parents=True)
        for name in names:
            labels = g.integers(0, 9, rows).tolist()
            data = np.tile(g.integers(0, 255, (1, 3072)).astype(np.uint8), (rows, 1))
            content = {b"data": data, b"labels": labels, b"fine_labels": labels,
                       b"coarse_labels": labels[::-1]}  # fmt: skip
            (target / name).write_bytes(pickle.dumps(content, protocol=3))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("datasets")
    write(made)
    return made


@pytest.fixture
def asked(folder, monkeypatch):
    """What each library asks `get_file` for, by the library."""
    found = {"keras": [], "slipstream": []}

    def serve(library):
        def get_file(fname=None, origin=None, **options):
            found[library].append((fname, origin, options))
            return str(folder / fname)

        return get_file

    for module in (standard, cifar):
        monkeypatch.setattr(module, "get_file", serve("slipstream"))
    monkeypatch.setattr(fashion_mnist.ENTRIES[0].__class__, "find", lambda self: None)
    for name in NAMES:
        theirs = importlib.import_module(f"keras.src.datasets.{name}")
        monkeypatch.setattr(theirs, "get_file", serve("keras"))
    return found


NAMES = ["mnist", "fashion_mnist", "cifar10", "cifar100", "imdb", "reuters", "boston_housing",
         "california_housing"]  # fmt: skip
CASES = [
    *((name, {}) for name in NAMES if name != "cifar10"),
    pytest.param("cifar10", {}, marks=pytest.mark.long),  # 50,000 pictures, several times over
    ("cifar100", {"label_mode": "coarse"}),
    ("boston_housing", {"test_split": 0.3, "seed": 4}),
    ("california_housing", {"version": "small"}),
]
for name_ in ("imdb", "reuters"):
    CASES += [
        (name_, {"num_words": 12}),
        (name_, {"num_words": 12, "skip_top": 5, "oov_char": None}),
        (name_, {"maxlen": 6, "seed": 3}),
        (name_, {"start_char": None, "index_from": 0, "skip_top": 2}),
        (name_, {"start_char": None, "index_from": 2, "num_words": 20, "maxlen": 5}),
    ]
CASES += [("reuters", {"test_split": 0.5})]


@pytest.mark.parametrize("name,arguments", CASES, ids=str)
def test_the_same_files_and_arrays_as_keras(name, arguments, asked):
    import keras

    theirs = getattr(keras.datasets, name).load_data(**arguments)
    mine = getattr(datasets, name).load_data(**arguments)
    for (x, y), (my_x, my_y) in zip(theirs, mine, strict=True):
        for a, b in ((x, my_x), (y, my_y)):
            assert a.shape == b.shape and a.dtype.kind == b.dtype.kind
            assert a.tolist() == b.tolist()
    known = [(fname, origin, options.get("file_hash")) for fname, origin, options in asked["keras"]]
    given = [(fname, origin, o.get("file_hash")) for fname, origin, o in asked["slipstream"]]
    assert sorted(known, key=str) == sorted(given, key=str)


@pytest.mark.parametrize("name", ["imdb", "reuters"])
def test_words_and_topics(name, asked):
    import keras

    theirs, mine = getattr(keras.datasets, name), getattr(datasets, name)
    assert theirs.get_word_index() == mine.get_word_index() == {"the": 1, "über": 2}
    if name == "reuters":
        assert theirs.get_label_names() == mine.get_label_names()


def test_pictures_follow_the_format_in_force(asked):
    slipstream.config.set_image_data_format("channels_first")
    try:
        (x, _), _ = datasets.cifar100.load_data()
    finally:
        slipstream.config.set_image_data_format("channels_last")
    assert x.shape == (3, 3, 32, 32)


def test_a_file_of_another_hash_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    place = tmp_path / "datasets/mnist.npz"
    place.parent.mkdir()
    place.write_bytes((folder / "mnist.npz").read_bytes())
    monkeypatch.setattr(standard, "HOME", Path(place.parent).as_uri() + "/other-")
    with pytest.raises(OSError, match="put the file at"):
        datasets.mnist.load_data()


class Evil:
    def __reduce__(self):
        return (print, ("it ran",))


def test_nothing_in_a_file_runs(tmp_path, capsys):
    bad = np.empty(1, object)
    bad[0] = Evil()
    np.savez(tmp_path / "bad.npz", x=bad)
    with pytest.raises(ValueError, match="print"):
        read_npz(tmp_path / "bad.npz")
    with pytest.raises(ValueError, match="print"):
        read_pickle(io.BytesIO(pickle.dumps({"a": Evil()})))
    with pytest.raises(ValueError, match="damaged"):
        read_pickle(io.BytesIO(pickle.dumps([1, 2, 3])[:-2]))
    (tmp_path / "no.npz").write_bytes(b"no zip")
    with pytest.raises(ValueError, match="damaged"):
        read_npz(tmp_path / "no.npz")
    assert capsys.readouterr().out == ""


def test_mistakes_in_arguments():
    with pytest.raises(ValueError, match="label_mode"):
        datasets.cifar100.load_data("rough")
    with pytest.raises(ValueError, match="version"):
        datasets.california_housing.load_data("huge")
