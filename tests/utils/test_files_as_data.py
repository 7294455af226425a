"""Pictures, sounds and texts in folders as datasets; real files, damaged ones included."""

import sys
import wave

import keras
import numpy as np
import pytest
from PIL import Image

from slipstream import layers, models, preprocessing, utils
from slipstream.data.folders import resample


@pytest.fixture
def pictures(tmp_path, rng):
    """Classes a, b and c with 4, 3 and 3 pictures of unlike sizes, one in a folder below."""
    for name, count in (("b", 3), ("a", 4), ("c", 3)):
        (tmp_path / name / "sub").mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (5 + i, 7, 3), dtype="uint8")
            below = "sub" if (name, i) == ("c", 0) else ""
            Image.fromarray(pixels).save(tmp_path / name / below / f"{i}.png")
    (tmp_path / "a" / "readme.txt").write_text("no picture")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def load(folder, **arguments):
    arguments = {"image_size": (4, 4), "batch_size": 4, "verbose": False, **arguments}
    return utils.image_dataset_from_directory(folder, **arguments)


def names(dataset, folder):
    return [str(path).removeprefix(f"{folder}/") for path in dataset.file_paths]


def test_files_and_labels_in_the_order_of_keras(pictures):
    dataset = load(pictures, shuffle=False)
    assert dataset.class_names == ["a", "b", "c"] and len(dataset) == 3
    assert names(dataset, pictures) == [
        "a/0.png", "a/1.png", "a/2.png", "a/3.png", "b/0.png", "b/1.png", "b/2.png", "c/1.png",
        "c/2.png", "c/sub/0.png",
    ]  # fmt: skip
    batches = list(dataset)
    assert [x.shape for x, _ in batches] == [(4, 4, 4, 3), (4, 4, 4, 3), (2, 4, 4, 3)]
    assert np.concatenate([y for _, y in batches]).tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert batches[0][0].dtype == np.float32 and batches[0][1].dtype == np.int32


def test_a_split_is_that_of_keras(pictures):
    order = [
        "a/2.png", "c/sub/0.png", "b/2.png", "b/0.png", "a/0.png", "a/3.png", "a/1.png", "c/1.png",
        "c/2.png", "b/1.png",
    ]  # fmt: skip
    split = {"validation_split": 0.3, "seed": 1}
    assert names(load(pictures, subset="training", **split), pictures) == order[:7]
    assert names(load(pictures, subset="validation", **split), pictures) == order[7:]
    both = load(pictures, subset="both", **split)
    assert [names(part, pictures) for part in both] == [order[:7], order[7:]]
    last = load(pictures, shuffle=False, validation_split=0.3, subset="validation")
    assert names(last, pictures) == ["c/1.png", "c/2.png", "c/sub/0.png"]


def test_every_pass_has_an_order_of_its_own_and_labels_stay_with_pictures(pictures):
    plain = {x.tobytes(): y for xs, ys in load(pictures, shuffle=False) for x, y in zip(xs, ys)}
    dataset = load(pictures, seed=5)
    passes = [[(x.tobytes(), y) for xs, ys in dataset for x, y in zip(xs, ys)] for _ in range(2)]
    assert passes[0] != passes[1]
    assert all(plain[x] == y for part in passes for x, y in part)
    assert len({x for x, _ in passes[0]}) == 10
    again = load(pictures, seed=5)
    assert [(x.tobytes(), y) for xs, ys in again for x, y in zip(xs, ys)] == passes[0]


def test_labels_of_every_kind(pictures):
    _, y = next(iter(load(pictures, label_mode="categorical", shuffle=False)))
    assert y.tolist() == [[1, 0, 0]] * 4 and y.dtype == np.float32
    two = load(pictures, label_mode="binary", class_names=["b", "a"], shuffle=False)
    assert next(iter(two))[1].ravel().tolist() == [0, 0, 0, 1]
    assert next(iter(load(pictures, label_mode=None))).shape == (4, 4, 4, 3)
    assert next(iter(load(pictures, labels=None))).shape == (4, 4, 4, 3)
    own = load(pictures / "a", labels=[0, 1, 0, 1], shuffle=False)
    assert own.class_names == ["0", "1"] and next(iter(own))[1].tolist() == [0, 1, 0, 1]
    assert next(iter(load(pictures, batch_size=None)))[0].shape == (4, 4, 3)


def test_colours_and_formats(pictures):
    for mode, channels in (("grayscale", 1), ("rgba", 4)):
        assert next(iter(load(pictures, color_mode=mode)))[0].shape == (4, 4, 4, channels)
    first = next(iter(load(pictures, data_format="channels_first", shuffle=False)))[0]
    last = next(iter(load(pictures, shuffle=False)))[0]
    np.testing.assert_array_equal(first, np.moveaxis(last, -1, 1))


@pytest.mark.parametrize("fit", [{}, {"crop_to_aspect_ratio": True}, {"pad_to_aspect_ratio": True}])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest", "bicubic", "lanczos3"])
def test_pixels_are_resized_as_by_keras(pictures, fit, interpolation):
    size = (6, 4)
    dataset = load(
        pictures / "a", labels=None, shuffle=False, image_size=size, interpolation=interpolation,
        **fit,
    )  # fmt: skip
    resizing = keras.layers.Resizing(*size, interpolation=interpolation, **fit)
    for mine, path in zip(next(iter(dataset)), dataset.file_paths):
        exact = np.asarray(resizing(np.asarray(Image.open(path), "f")))
        np.testing.assert_allclose(mine, exact, atol=0.02)


def test_smart_resize_is_that_of_keras(rng):
    for shape, size in (((5, 9, 3), (4, 4)), ((9, 5, 1), (3, 6)), ((2, 5, 9, 3), (7, 2))):
        picture = rng.uniform(0, 255, shape).astype("f")
        for interpolation in ("bilinear", "nearest"):
            mine = preprocessing.image.smart_resize(picture, size, interpolation)
            theirs = keras.preprocessing.image.smart_resize(picture, size, interpolation)
            np.testing.assert_allclose(mine, theirs, atol=1e-3)


def test_weights_of_resizing_sum_to_one_and_keep_flat_pictures_flat():
    for interpolation in resample.INTERPOLATIONS:
        for old, new in ((5, 3), (3, 7), (1, 4), (8, 1)):
            flat = resample.resize(np.full((old, old, 1), 7.0), (new, new), interpolation)
            np.testing.assert_allclose(flat, 7, rtol=1e-5)
    ramp = np.arange(6.0).reshape(1, 6, 1)
    assert resample.resize(ramp, (1, 3), "area").ravel().tolist() == [0.5, 2.5, 4.5]


def test_fit_on_pictures_in_a_folder(pictures):
    dataset = load(pictures, seed=0).map(lambda x, y: (x / 255, y)).prefetch(-1)
    model = models.Sequential([layers.Input((4, 4, 3)), layers.Flatten(), layers.Dense(3)])
    loss = "sparse_categorical_crossentropy"
    model.add(layers.Softmax())
    model.compile("adam", loss)
    history = model.fit(dataset, epochs=2, validation_data=dataset, verbose=0)
    assert np.isfinite(history.history["val_loss"]).all() and len(history.history["loss"]) == 2


def test_a_damaged_picture_is_named(pictures):
    whole = (pictures / "b" / "0.png").read_bytes()
    (pictures / "b" / "broken.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"broken\.png' is damaged.*Remove it"):
        list(load(pictures))
    (pictures / "b" / "broken.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"broken\.png' is damaged"):
        list(load(pictures))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_names": ["a", "x", "c"]}, r"\['x'\], for which"),
        ({"labels": [0, 1]}, "2 entries.*10 picture files"),
        ({"labels": None, "class_names": ["a"]}, "class_names belong"),
        ({"label_mode": "binary"}, "two classes; got 3"),
        ({"label_mode": "x"}, "label_mode must be"),
        ({"validation_split": 0.3}, "go together"),
        ({"subset": "training"}, "go together"),
        ({"validation_split": 0.3, "subset": "training"}, "needs a seed"),
        ({"validation_split": 1.3, "subset": "training", "seed": 1}, "between 0 and 1; got 1.3"),
        ({"validation_split": 0.3, "subset": "x", "seed": 1}, "'both'; got 'x'"),
        ({"validation_split": 0.01, "subset": "validation", "seed": 1}, "leaves none"),
        ({"color_mode": "x"}, "color_mode must be"),
        ({"interpolation": "x"}, "interpolation must be"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "Only one of"),
    ],
)
def test_arguments_that_do_not_fit(pictures, arguments, message):
    with pytest.raises(ValueError, match=message):
        load(pictures, **arguments)


def test_folders_without_data(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        load(tmp_path / "none")
    with pytest.raises(ValueError, match="no picture files"):
        load(tmp_path)


def test_without_pillow_the_extra_is_named(monkeypatch, pictures):
    monkeypatch.setitem(sys.modules, "PIL", None)
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match=r"slipstream\[images\]"):
        load(pictures)
    with pytest.raises(ImportError, match=r"slipstream\[images\]"):
        utils.load_img(pictures / "a" / "0.png")


def test_pictures_to_arrays_and_back_as_in_keras(tmp_path, rng):
    path = tmp_path / "x.png"
    Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype="uint8")).save(path)
    for arguments in (
        {},
        {"color_mode": "grayscale"},
        {"color_mode": "rgba"},
        {"target_size": (3, 4)},
        {"target_size": (3, 4), "interpolation": "bicubic"},
        {"target_size": (4, 4), "keep_aspect_ratio": True, "interpolation": "bilinear"},
    ):
        mine, theirs = utils.load_img(path, **arguments), keras.utils.load_img(path, **arguments)
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
        for data_format in ("channels_last", "channels_first"):
            array = utils.img_to_array(mine, data_format)
            other = keras.utils.img_to_array(theirs, data_format)
            assert array.dtype == other.dtype
            np.testing.assert_array_equal(array, other)
            back = utils.array_to_img(array * 0.5 - 3, data_format)
            same = keras.utils.array_to_img(other * 0.5 - 3, data_format)
            assert back.mode == same.mode
            np.testing.assert_array_equal(np.asarray(back), np.asarray(same))
    saved = tmp_path / "y.png"
    utils.save_img(saved, utils.img_to_array(utils.load_img(path)), scale=False)
    np.testing.assert_array_equal(np.asarray(Image.open(saved)), np.asarray(Image.open(path)))
    for bad, message in (
        (lambda: utils.array_to_img(np.ones((2, 2))), "3 axes"),
        (lambda: utils.array_to_img(np.ones((2, 2, 2))), "1, 3 or 4 channels; got 2"),
        (lambda: utils.load_img(path, "cmyk"), "color_mode"),
        (lambda: utils.load_img(path, target_size=(2, 2), interpolation="x"), "interpolation"),
        (lambda: utils.img_to_array(np.ones(3)), "2 or 3 axes"),
    ):
        with pytest.raises(ValueError, match=message):
            bad()
    with pytest.raises(FileNotFoundError, match="no file"):
        utils.load_img(tmp_path / "none.png")


def write_wav(path, signal, rate=8000, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(signal.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        whole = np.round(signal * (2 ** (8 * width - 1) - 1)).astype("<i8")
        if width == 1:
            whole = whole + 128
        file.writeframes(whole.reshape(-1, 1).view("u1")[:, :width].tobytes())


@pytest.fixture
def sounds(tmp_path):
    for number, name in enumerate(("high", "low")):
        (tmp_path / name).mkdir()
        for i in range(2):
            wave_form = np.sin(np.arange(80 + 10 * i) * (0.5 - 0.3 * number))
            write_wav(tmp_path / name / f"{i}.wav", wave_form[:, None] * 0.9)
    return tmp_path


def listen(folder, **arguments):
    return utils.audio_dataset_from_directory(folder, verbose=False, shuffle=False, **arguments)


def test_sounds_are_read_padded_and_labelled(sounds):
    dataset = listen(sounds)
    ((x, y),) = dataset
    assert x.shape == (4, 90, 1) and x.dtype == np.float32 and y.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(x[1, :, 0], np.sin(np.arange(90) * 0.5) * 0.9, atol=1e-4)
    assert not x[0, 80:].any() and dataset.class_names == ["high", "low"]
    assert next(iter(listen(sounds, output_sequence_length=30)))[0].shape == (4, 30, 1)
    assert next(iter(listen(sounds, output_sequence_length=120, labels=None))).shape == (4, 120, 1)
    slow = next(iter(listen(sounds, sampling_rate=4000)))[0]
    assert slow.shape == (4, 45, 1)
    np.testing.assert_allclose(slow[3, 5:-5, 0], x[3, ::2, 0][5:-5], atol=0.05)
    with pytest.raises(ValueError, match="ragged=True is not supported"):
        listen(sounds, ragged=True)


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sounds_of_every_width(tmp_path, width):
    signal = np.stack([np.linspace(-0.99, 0.99, 41), np.zeros(41)], 1)
    write_wav(tmp_path / "x.wav", signal, width=width)
    (x,) = listen(tmp_path, labels=None)
    np.testing.assert_allclose(x[0], signal, atol=1.5 / 2 ** (8 * width - 1) + 1e-7)


def test_damaged_sounds_are_named(sounds):
    bad = sounds / "low" / "bad.wav"
    whole = (sounds / "low" / "0.wav").read_bytes()
    for content in (whole[:100], whole[:20], b"", b"RIFFxxxxWAVEjunk"):
        bad.write_bytes(content)
        with pytest.raises(ValueError, match=r"bad\.wav' is (cut short|damaged).*Remove it"):
            list(listen(sounds))


@pytest.fixture
def texts(tmp_path):
    for name, words in (("bad", ["poor", "dull, dull"]), ("good", ["fine ünd great", "joy"])):
        (tmp_path / name).mkdir()
        for i, text in enumerate(words):
            (tmp_path / name / f"{i}.txt").write_text(text, "utf-8")
    return tmp_path


def read(folder, **arguments):
    return utils.text_dataset_from_directory(folder, verbose=False, shuffle=False, **arguments)


def test_texts_become_numbers_and_train(texts):
    dataset = read(texts)
    ((x, y),) = dataset
    assert x.tolist() == ["poor", "dull, dull", "fine ünd great", "joy"] and y.tolist() == [
        0,
        0,
        1,
        1,
    ]
    assert next(iter(read(texts, max_length=2)))[0].tolist() == ["po", "du", "fi", "jo"]
    vectorize = layers.TextVectorization(output_mode="count")
    vectorize.adapt(dataset.map(lambda x, y: x))
    assert vectorize.get_vocabulary()[1] == "dull"
    numbers = dataset.map(lambda x, y: (vectorize(x).astype("f"), y))
    model = models.Sequential([layers.Dense(1, activation="sigmoid")])
    model.compile("adam", "binary_crossentropy")
    assert np.isfinite(model.fit(numbers, epochs=2, verbose=0).history["loss"]).all()


def test_text_that_is_not_utf8_is_named(texts):
    (texts / "bad" / "0.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"0\.txt' is not UTF-8.*Convert it"):
        list(read(texts))
