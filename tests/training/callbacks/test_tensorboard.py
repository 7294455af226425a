"""What TensorBoard finds in the files."""

from __future__ import annotations

import json
import struct
import sys
import zlib

import numpy as np
import pytest

from slipstream import callbacks
from slipstream.core.layer import Layer
from slipstream.layers import Dense, Flatten, Input
from slipstream.models import Sequential
from slipstream.training.callbacks.summaries import image_summary

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = X.sum(1, keepdims=True)


def train(directory, epochs=2, model=None, x=X, **arguments):
    if model is None:
        model = Sequential([Input((3,)), Dense(1, name="only")], name="net")
        model.compile("sgd", "mse", metrics=["mae"])
    board = callbacks.TensorBoard(directory, **arguments)
    rates = callbacks.LearningRateScheduler(lambda epoch, rate: 0.1 / (1 + epoch))
    history = model.fit(
        x, Y, batch_size=4, epochs=epochs, verbose=0, callbacks=[rates, board],
        validation_data=(x, Y),
    )  # fmt: skip
    return model, history.history


def events(directory, part):
    """All values in the event files of a directory: ``{tag: {step: value}}``."""
    from tensorboardX.proto.event_pb2 import Event

    found: dict = {}
    for path in sorted((directory / part).glob("events*")):
        content, place = path.read_bytes(), 0
        while place < len(content):  # length, its checksum, record, its checksum
            (length,) = struct.unpack_from("<Q", content, place)
            event = Event.FromString(content[place + 12 : place + 12 + length])
            place += length + 16
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = value
    return found


def numbers(found):
    return {
        tag: [value.simple_value for _, value in sorted(steps.items())]
        for tag, steps in found.items()
        if next(iter(steps.values())).HasField("simple_value")
    }


def test_figures_have_keras_names_places_and_steps(tmp_path):
    _, history = train(tmp_path)
    training, validation = events(tmp_path, "train"), events(tmp_path, "validation")
    scalars = numbers(training)
    assert sorted(scalars) == ["epoch_learning_rate", "epoch_loss", "epoch_mae"]
    assert sorted(training["epoch_loss"]) == [0, 1]
    np.testing.assert_allclose(scalars["epoch_loss"], history["loss"], rtol=1e-6)
    np.testing.assert_allclose(scalars["epoch_learning_rate"], [0.1, 0.05], rtol=1e-6)
    assert sorted(validation) == [
        "epoch_loss", "epoch_mae", "evaluation_loss_vs_iterations", "evaluation_mae_vs_iterations",
    ]  # fmt: skip
    np.testing.assert_allclose(numbers(validation)["epoch_mae"], history["val_mae"], rtol=1e-6)
    assert sorted(validation["evaluation_loss_vs_iterations"]) == [3, 6]


def test_the_graph_is_the_models_own_json(tmp_path):
    model, _ = train(tmp_path, epochs=1)
    value = events(tmp_path, "train")["keras"][0]
    assert value.metadata.plugin_data.plugin_name == "graph_keras_model"
    written, wanted = json.loads(value.tensor.string_val[0]), json.loads(model.to_json())
    assert written["config"] == wanted["config"] and written["class_name"] == "Sequential"
    train(tmp_path / "none", epochs=1, write_graph=False)
    assert "keras" not in events(tmp_path / "none", "train")


def test_batches_and_speed_are_written_where_asked_for(tmp_path):
    train(tmp_path, update_freq=2, write_steps_per_second=True)
    found = events(tmp_path, "train")
    assert sorted(found["batch_loss"]) == sorted(found["batch_steps_per_second"]) == [2, 4, 6]
    assert all(speed > 0 for speed in numbers(found)["epoch_steps_per_second"])


def test_histograms_hold_every_weight(tmp_path):
    model, _ = train(tmp_path, epochs=3, histogram_freq=2)
    found = events(tmp_path, "train")
    tags = [tag for tag in found if tag.endswith("/histogram")]
    assert sorted(tags) == sorted(f"{v.path}/histogram" for v in model.variables)
    assert sorted(found[tags[0]]) == [0, 2]
    kernel = next(v for v in model.variables if v.shape == (3, 1)).numpy()
    histogram = found[f"{model.variables[0].path}/histogram"][2].histo
    assert histogram.num == 3 and histogram.sum == pytest.approx(kernel.sum(), rel=1e-5)


def decode(png):
    """Grey values of a PNG without filters, checksums verified."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, place = {}, 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        assert struct.unpack_from(">I", png, place + 8 + length)[0] == zlib.crc32(kind + content)
        chunks[kind], place = content, place + 12 + length
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert not rows[:, 0].any()
    return rows[:, 1:]


@pytest.mark.parametrize(
    ("weight", "picture"),
    [
        (np.array([0.0, 1.0, 0.5]), [[0], [255], [127]]),
        (np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]), [[0, 255, 127], [127, 127, 127]]),
        (np.zeros((1, 2, 3)), np.zeros((3, 2))),
    ],
)
def test_weights_become_grey_pictures(weight, picture):
    value = image_summary("tag", weight).value[0]
    grey = decode(value.image.encoded_image_string)
    assert (value.image.height, value.image.width) == grey.shape
    np.testing.assert_array_equal(grey, picture)


def test_pictures_come_with_histograms(tmp_path):
    model, _ = train(tmp_path, epochs=1, histogram_freq=1, write_images=True)
    found = events(tmp_path, "train")
    assert all(found[f"{v.path}/image"][0].HasField("image") for v in model.variables)


class Embedding(Layer):
    """A stand-in that is recognised by its name."""

    def build(self, shape):
        self.embeddings = self.add_weight((4, 2), name="embeddings")

    def call(self, x):
        import jax.numpy as jnp

        return jnp.take(jnp.asarray(self.embeddings.value), jnp.abs(x).astype(int) % 4, axis=0)


def embedding_model():
    model = Sequential([Input((3,)), Embedding(name="words"), Flatten(), Dense(1)])
    model.compile("sgd", "mse")
    return model


def test_embedding_tables_go_to_the_projector(tmp_path):
    (tmp_path / "labels.tsv").write_text("a\nb\nc\nd\n")
    arguments = {"embeddings_freq": 1, "embeddings_metadata": {"words": tmp_path / "labels.tsv"}}
    model, _ = train(tmp_path, epochs=1, model=embedding_model(), **arguments)
    place = tmp_path / "train" / "00000" / "words"
    table = np.loadtxt(place / "tensors.tsv")
    np.testing.assert_allclose(table, model.get_layer("words").embeddings.numpy(), rtol=1e-6)
    assert (place / "metadata.tsv").read_text().split() == ["a", "b", "c", "d"]
    assert "words" in (tmp_path / "train" / "projector_config.pbtxt").read_text()
    with pytest.raises(ValueError, match=r"names 'verbs', which is no Embedding.*It has: words"):
        arguments["embeddings_metadata"] = {"verbs": tmp_path / "labels.tsv"}
        train(tmp_path, model=embedding_model(), **arguments)
    (tmp_path / "short.tsv").write_text("a\n")
    with pytest.raises(ValueError, match=r"has 1 lines; the table of 'words' has 4 rows"):
        arguments["embeddings_metadata"] = str(tmp_path / "short.tsv")
        train(tmp_path, model=embedding_model(), **arguments)


def test_one_batch_can_be_profiled(tmp_path):
    train(tmp_path, epochs=1, profile_batch=2)
    assert list((tmp_path / "train" / "plugins" / "profile").glob("*/*.xplane.pb"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"update_freq": "step"}, "update_freq must be .* got 'step'"),
        ({"update_freq": 0}, "at least 1; got 0"),
        ({"profile_batch": -1}, "profile_batch must be"),
        ({"profile_batch": (3, 2)}, "profile_batch must be"),
        ({"profile_batch": (1, 2, 3)}, "profile_batch must be"),
        ({"profile_batch": "soon"}, "profile_batch must be"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        callbacks.TensorBoard("a", **arguments)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match=r'pip install "slipstream\[tensorboard\]"'):
        callbacks.TensorBoard("a")
