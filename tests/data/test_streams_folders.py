"""Folders of pictures, sounds and texts as streams; damaged ones among them."""

import importlib.util
import wave

import numpy as np
import pytest
from PIL import Image

from slipstream.data import read


def write_picture(path, value):
    Image.new("L", (5, 4), value).save(path)


def write_wav(path, value, samples=100):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.full(samples, value * 100, "<i2").tobytes())


WRITERS = {
    "png": write_picture,
    "wav": write_wav,
    "txt": lambda path, value: path.write_text(f"number {value} ä", encoding="utf-8"),
}


def value_of(kind, content):
    if kind == "png":
        assert content.shape == (2, 3, 1) and content.dtype == np.float32
        return round(float(content.mean()))
    if kind == "wav":
        assert content.shape == (50, 1)
        return round(float(content.mean()) * 2**15 / 100)
    return int(content.split()[1])


def options(kind):
    return {
        "png": {"image_size": (2, 3), "color_mode": "grayscale"},
        "wav": {"sequence_length": 50},
        "txt": {},
    }[kind]


@pytest.mark.parametrize("kind", WRITERS)
def test_folders_are_classes_and_damaged_files_are_left_out(kind, tmp_path):
    for value in range(20):
        folder = tmp_path / f"class {value % 2}"
        folder.mkdir(exist_ok=True)
        WRITERS[kind](folder / f"{value:02}.{kind}", value)
    (tmp_path / "class 0" / "notes.md").write_text("no data")
    stream = read(tmp_path, batch_size=4, shuffle=True, seed=0, **options(kind))
    assert stream.class_names == ["class 0", "class 1"] and stream.rows == 20
    whole = list(stream.batches(0, 0))
    found = [(value_of(kind, x), int(y)) for xs, ys in whole for x, y in zip(xs, ys)]
    assert sorted(found) == [(value, value % 2) for value in range(20)]
    assert [value for value, _ in found] != sorted(value for value, _ in found)
    rest = [value_of(kind, x) for xs, _ in stream.batches(0, 0, skip=2) for x in xs]
    assert rest == [value for value, _ in found[8:]]
    halves = [read(tmp_path, shard=(i, 2), **options(kind)) for i in range(2)]
    shared = [value_of(kind, x) for half in halves for xs, _ in half for x in xs]
    assert sorted(shared) == list(range(20))

    (tmp_path / "class 1" / f"07.{kind}").write_bytes(b"\xff\xfe\xfa damaged")
    with pytest.warns(UserWarning, match=f"1 of the files.*07.{kind}"):
        left = [value_of(kind, x) for xs, _ in stream.batches(0, 0) for x in xs]
    assert left == [value for value, _ in found if value != 7]
    assert [path for path, _ in stream.bad] == [str(tmp_path / "class 1" / f"07.{kind}")]
    with pytest.raises(ValueError, match=f"07.{kind}"):
        list(read(tmp_path, errors="raise", **options(kind)))


def test_a_flat_folder_has_no_classes(tmp_path):
    for value in range(3):
        WRITERS["txt"](tmp_path / f"{value}.txt", value)
    assert next(iter(read(tmp_path))).tolist() == [f"number {value} ä" for value in range(3)]
    (tmp_path / "more").mkdir()
    WRITERS["txt"](tmp_path / "more" / "4.txt", 4)
    with pytest.raises(ValueError, match="both in itself and in folders"):
        read(tmp_path)
    with pytest.raises(ValueError, match="header and names are for tables"):
        read(tmp_path, target="y")


def test_a_folder_is_kept_in_a_cache(tmp_path):
    for value in range(9):
        WRITERS["png"](tmp_path / f"{value}.png", value)
    (tmp_path / "3.png").write_bytes(b"nothing")
    for _ in range(2):
        stream = read(tmp_path, image_size=2, batch_size=4).cached(tmp_path / "cache")
        assert stream.rows == 8 and len(stream.bad) == 1
        with pytest.warns(UserWarning, match=r"3\.png"):
            found = np.concatenate(list(stream))
        assert found.shape == (8, 2, 2, 3)
        assert found[:, 0, 0, 0].tolist() == [0, 1, 2, 4, 5, 6, 7, 8]


@pytest.mark.skipif(importlib.util.find_spec("soundfile") is None, reason="needs soundfile")
def test_flac(tmp_path):
    import soundfile

    signal = np.linspace(-0.5, 0.5, 400, dtype=np.float32)
    soundfile.write(tmp_path / "a.flac", signal, 8000)
    (x,) = list(read(tmp_path, sampling_rate=8000))
    np.testing.assert_allclose(x[0, :, 0], signal, atol=1e-4)
    (tmp_path / "a.flac").write_bytes((tmp_path / "a.flac").read_bytes()[:40])
    with pytest.raises(ValueError, match=r"a\.flac"):
        list(read(tmp_path, errors="raise"))


@pytest.mark.skipif(importlib.util.find_spec("soundfile") is not None, reason="has soundfile")
def test_flac_without_its_library_says_what_to_install(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"fLaC")
    with pytest.raises(ImportError, match=r"slipstream\[audio\]"):
        list(read(tmp_path))
