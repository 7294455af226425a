"""`Model.speed`: a row for each layer, whole programs, and a model left as it was."""

import json
import xml.etree.ElementTree as ElementTree

import jax
import numpy as np
import pytest

import slipstream
from slipstream import layers as L
from slipstream.core.cost import NOTHING
from slipstream.models import Model, Sequential
from slipstream.speed import ceilings
from slipstream.speed import layers as layers_room
from slipstream.speed.ceilings import ROUGH
from slipstream.speed.check import Check
from slipstream.speed.layers import Measured
from slipstream.speed.limits import Limit


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine whose ceilings are known, and no more runs than needed."""
    monkeypatch.setattr(ceilings, "known", lambda: ROUGH)
    monkeypatch.setattr(layers_room, "SECONDS", 0.0)


X = np.random.default_rng(0).random((8, 6), "float32")
Y = np.arange(8) % 3


def branched():
    """A model with a nested one, a shared layer, and random draws."""
    inputs = L.Input((6,))
    inner = Sequential([L.Input((4,)), L.Dense(5, name="deep"), L.BatchNormalization(name="norm")])
    inner.name = "inner"
    shared = L.Dense(4, name="shared")
    a = shared(inputs)
    b = shared(L.Dropout(0.5, name="drop")(inputs))
    merged = L.Add(name="sum")([a, b])
    outputs = L.Dense(3, activation="softmax", name="top")(inner(merged))
    model = Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def test_every_layer_has_a_row_with_its_own_count():
    found = branched().speed(X, Y, batch_size=8)
    rows = {row.name: row for row in found.rows}
    assert [(name, row.calls) for name, row in rows.items()] == [
        ("shared", 2), ("drop", 1), ("sum", 1), ("inner/deep", 1), ("inner/norm", 1), ("top", 1),
    ]  # fmt: skip
    dense = 2 * 8 * 6 * 4 + 8 * 4
    assert rows["shared"].forward.cost.flops == 2 * dense
    # Training: forward, and the gradient of the kernel; of the inputs of one of the two calls too.
    product = 2 * 8 * 6 * 4
    training = rows["shared"].training.cost.flops
    assert 2 * dense + 3 * product <= training < 2 * dense + 4 * product
    assert rows["inner/deep"].forward.cost.flops == 2 * 8 * 4 * 5 + 8 * 5
    for row in found.rows:
        for each in (row.forward, row.training):
            assert each.seconds > 0 and each.share >= 0
    whole = sum(row.forward.cost.flops for row in found.rows)
    assert whole == pytest.approx(found.prediction.cost.flops, rel=0.1)
    assert found.step.cost.flops > 2 * found.prediction.cost.flops
    assert found.rest == found.step.seconds - sum(row.training.seconds for row in found.rows)


def test_the_model_stays_as_it_was():
    slipstream.utils.set_random_seed(3)
    model, twin = branched(), None
    model.fit(X, Y, epochs=1, verbose=0)
    weights = model.get_weights()
    state = jax.tree.map(np.array, model._session.live.current())
    model.speed(X, Y, batch_size=4)
    for a, b in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    same = jax.tree.map(lambda a, b: np.array_equal(a, b), state, model._session.live.current())
    assert all(jax.tree.leaves(same))
    assert not any("call" in vars(layer) for layer in model._flatten_layers())
    after = model.fit(X, Y, epochs=2, verbose=0).history["loss"]
    slipstream.utils.set_random_seed(3)
    twin = branched()
    twin.fit(X, Y, epochs=1, verbose=0)
    assert twin.fit(X, Y, epochs=2, verbose=0).history["loss"] == after


def test_a_model_that_raises_is_left_as_it_was():
    model = branched()
    with pytest.raises(ValueError, match="shape"):
        model.speed(X[:, :5], Y)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def masked():
    inputs = L.Input((7,), dtype="int32")
    x = L.Embedding(10, 4, mask_zero=True)(inputs)
    return Model(inputs, L.Dense(2)(L.LSTM(3)(x))), np.arange(56).reshape(8, 7) % 10


def two_inputs():
    a, b = L.Input((6,), name="a"), L.Input((3,), name="b")
    model = Model({"a": a, "b": b}, L.Dense(2)(L.Concatenate()([a, b])))
    return model, {"a": X, "b": X[:, :3]}


class Own(Model):
    def __init__(self):
        super().__init__()
        self.first, self.second = L.Dense(4), L.Dense(2)

    def call(self, x, training=False):
        return self.second(self.first(x) + 1)


def own():
    return Own(), X


def text():
    words = L.TextVectorization(max_tokens=6, output_sequence_length=3)
    words.adapt(["a b c"])
    model = Sequential([words, L.Embedding(6, 2), L.Flatten(), L.Dense(1)])
    return model, np.array(["a b", "c"] * 4, object)


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (masked, ["Embedding", "LSTM", "Dense"]),
        (two_inputs, ["Concatenate", "Dense"]),
        (own, ["Dense", "Dense"]),
        (text, ["Embedding", "Flatten", "Dense"]),
    ],
)
def test_models_of_all_kinds(make, kinds):
    model, x = make()
    found = model.speed(x, batch_size=8)
    assert [row.kind for row in found.rows] == kinds
    assert found.step is None and found.rest is None
    assert found.prediction.cost.flops > 0


def test_fewer_rows_than_a_batch_are_taken_as_they_are():
    assert branched().speed(X[:3], Y[:3], batch_size=32).batch_size == 3
    with pytest.raises(ValueError, match="batch"):
        branched().speed(X, Y, batch_size=0)


def test_equal_layers_are_measured_once():
    deep = Sequential([L.Input((6,)), *[L.Dense(6, activation="relu") for _ in range(5)]])
    places, programs = layers_room.programs(deep, X)
    assert len(places) == 5 and len(programs) == 3  # the first one's input has no gradient
    some = Measured(NOTHING, Limit(1.0, 1.0, 1.0), 1.0)
    assert len(layers_room.rows(places, dict.fromkeys(programs, some))) == 5


@pytest.fixture(scope="module")
def found():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ceilings, "known", lambda: ROUGH)
        yield branched().speed(X, Y, batch_size=8)


def test_the_table_says_it_all(found):
    text = str(found)
    for row in found.rows:
        assert row.name in text
    for heading in ("FLOPs", "Bytes", "Limit", "Measured", "Share", "Bound by", "whole model"):
        assert heading in text
    assert "shared (Dense) × 2" in text and "batches of 8" in text
    assert "Loss, metrics and optimizer" in text


def test_json_holds_the_same_figures(found):
    told = json.loads(found.to_json())
    assert [row["name"] for row in told["layers"]] == [row.name for row in found.rows]
    first = told["layers"][0]["forward"]
    assert first["flops"] == found.rows[0].forward.cost.flops
    assert first["share"] == pytest.approx(first["limit"]["seconds"] / first["seconds"])
    assert first["limit"]["seconds"] == max(first["limit"]["compute"], first["limit"]["memory"])
    assert told["step"]["seconds"] == found.step.seconds and told["ceilings"]["levels"]


def test_the_picture_shows_each_layer_under_the_roof(found, tmp_path):
    from slipstream.speed.picture import points

    found.picture(tmp_path / "roof.svg")
    tree = ElementTree.parse(tmp_path / "roof.svg")
    shown = points(found)
    titles = [node.text for node in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == len(shown) > 6 and "top, forward" in " ".join(titles)
    for point in shown:
        best = min(ROUGH.flops["float32"], point.intensity * ROUGH.bandwidth[0])
        assert point.rate <= best / point.share * 1.001  # the limit is that roof
    with pytest.raises(ValueError, match=r"\.svg"):
        found.picture(tmp_path / "roof.png")


def attention():
    inputs = L.Input((20, 16))
    return Model(inputs, L.MultiHeadAttention(2, 8)(inputs, inputs))


NETS = {
    "dense": lambda: Sequential([L.Input((20, 16)), L.Dense(32, activation="relu"), L.Dense(8)]),
    "convolution": lambda: Sequential([L.Input((20, 16)), L.Conv1D(16, 3), L.Conv1D(8, 5)]),
    "recurrent": lambda: Sequential(
        [L.Input((20, 16)), L.LSTM(16, return_sequences=True), L.LSTM(16)]
    ),
    "attention": attention,
}


@pytest.mark.parametrize("net", NETS)
def test_the_compilers_count_agrees_with_loops_multiplied_out(net):
    model = NETS[net]()
    model.compile("sgd", "mse")
    x = np.zeros((8, 20, 16), "float32")
    y = np.zeros((8, *model.output_shape[1:]), "float32")
    found = model.speed(x, y, batch_size=8)
    assert set(found.checks) == {"prediction", "training step"}
    for each in found.checks.values():
        assert each.flops == pytest.approx(each.compiler_flops, rel=0.1)
    assert 1.9 < found.step.cost.flops / found.prediction.cost.flops < 5


def test_differences_of_more_than_a_tenth_are_told():
    assert Check(100, 100, 95, 105).remarks("step") == []
    remarks = Check(100, 100, 50, 105).remarks("step")
    assert remarks == ["step: 100 FLOPs counted from the model, 50 FLOPs by the compiler (+100%)."]
    assert len(Check(100, 100, 50, 200).remarks("step")) == 2
    assert Check(100, 100, 0, 0).remarks("step") == []
