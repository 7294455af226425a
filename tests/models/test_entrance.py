"""Layers on the host at a model's entrance: text goes in, numbers are computed."""

import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.data.dataset import Dataset
from slipstream.models import load_model

TEXTS = ["red green", "green", "blue red red", "yellow"]
Y = np.array([1.0, 0.0, 1.0, 0.0], "f")


def vectorizer():
    layer = layers.TextVectorization(output_sequence_length=4)
    layer.adapt(TEXTS)
    return layer


def trained(model):
    model.compile("adam", "binary_crossentropy")
    model.fit(np.array(TEXTS), Y, epochs=2, verbose=0)
    return model


@pytest.mark.parametrize("known", [True, False])
def test_a_stack_takes_text(known, tmp_path):
    above = [layers.Embedding(9, 3), layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid")]
    start = [layers.Input((), dtype="string")] if known else []
    text = vectorizer()
    model = trained(slipstream.Sequential([*start, text, *above]))
    expected = slipstream.Sequential(above).predict(np.asarray(text(TEXTS)), verbose=0)
    np.testing.assert_allclose(model.predict(np.array(TEXTS), verbose=0), expected, rtol=1e-6)
    np.testing.assert_allclose(model(np.array(TEXTS)), expected, rtol=1e-6)
    assert np.isfinite(model.evaluate(np.array(TEXTS), Y, verbose=0))
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(np.array(TEXTS), verbose=0), expected, rtol=1e-6)


def table():
    colour = layers.Input((1,), dtype="string", name="colour")
    size = layers.Input((1,), name="size")
    look_up = layers.StringLookup(vocabulary=["red", "blue"], output_mode="one_hot")
    both = layers.Concatenate()([look_up(colour), size])
    return slipstream.Model([colour, size], layers.Dense(1, name="out")(both))


DATA = {"colour": np.array([["red"], ["blue"], ["pink"]]), "size": np.array([[1.0], [2.0], [3.0]])}


def test_a_graph_takes_text_and_numbers(tmp_path):
    model = table()
    kernel, bias = model.get_weights()
    rows = np.array([[0, 1, 0, 1], [0, 0, 1, 2], [1, 0, 0, 3]], "f")
    np.testing.assert_allclose(model.predict(DATA, verbose=0), rows @ kernel + bias, rtol=1e-5)
    model.compile("sgd", "mse")
    y = np.ones((3, 1), "f")
    loss = model.fit(DATA, y, validation_data=(DATA, y), epochs=3, verbose=0).history
    assert loss["val_loss"][-1] < loss["val_loss"][0]

    class Batches(slipstream.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, i):
            return DATA, y

    model.fit(Batches(), epochs=1, verbose=0)
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(DATA), model.predict(DATA), rtol=1e-6)


def test_text_from_within_a_model_is_refused():
    x = layers.Input((3,))
    hidden = layers.Dense(2)(x)
    with pytest.raises(ValueError, match="must be an Input of the model"):
        slipstream.Model(x, layers.Hashing(num_bins=4)(hidden))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_frame_goes_to_the_inputs_by_name(library):
    module = pytest.importorskip(library)
    data = {"colour": ["red", "blue", "red", "none"], "size": [1.0, 2.0, 3.0, 4.0], "more": [0] * 4}
    frame = module.table(data) if library == "pyarrow" else module.DataFrame(data)
    model = table()
    wanted = model.predict({"colour": np.array(data["colour"]), "size": np.array(data["size"])})
    np.testing.assert_allclose(model.predict(frame), wanted)
    model.compile("sgd", "mse")
    model.fit(frame, Y, validation_data=(frame, Y), epochs=1, verbose=0)
    assert np.isfinite(model.evaluate(frame, Y, verbose=0))


def test_a_learned_vocabulary_keeps_its_size_in_a_file(tmp_path):
    text = layers.TextVectorization(output_mode="multi_hot")
    text.adapt(TEXTS)
    model = slipstream.Sequential([layers.Input((), dtype="string"), text, layers.Dense(2)])
    model.save(tmp_path / "m.keras")
    again = load_model(tmp_path / "m.keras")
    texts = np.array(TEXTS)
    np.testing.assert_allclose(again.predict(texts), model.predict(texts), rtol=1e-6)


def test_a_stream_keeps_its_places():
    columns = {"text": np.array(TEXTS * 5, object), "y": np.tile(Y, 5)}
    stream = slipstream.data.read(columns, target="y", columns="text", batch_size=4, shuffle=True)
    model = slipstream.Sequential(
        [layers.Input((), dtype="string"), vectorizer(), layers.Embedding(9, 3)]
    )
    entered = model._enter(stream)
    text = vectorizer()
    pairs = list(zip(stream.batches(7, 1, 2), entered.batches(7, 1, 2), strict=True))
    assert len(pairs) == 3
    for (words, y), (numbers, same) in pairs:
        np.testing.assert_array_equal(numbers, text(words))
        np.testing.assert_array_equal(y, same)


def test_a_dataset_keeps_its_places():
    data = Dataset.from_iterable(list(zip(TEXTS * 5, np.tile(Y, 5))))
    data = data.shuffle(8).batch(4)
    text = vectorizer()
    model = slipstream.Sequential([layers.Input((), dtype="string"), text, layers.Embedding(9, 3)])
    pairs = list(zip(data.places(7, 1, 2), model._enter(data).places(7, 1, 2), strict=True))
    assert len(pairs) == 3
    for (words, y), (numbers, same) in pairs:
        np.testing.assert_array_equal(numbers, text(words))
        np.testing.assert_array_equal(y, same)
