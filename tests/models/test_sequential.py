"""`Sequential` is built, extended, described and copied as in Keras."""

import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers
from slipstream.models import Sequential, model_from_json


def test_the_reference_script_runs_and_learns():
    rng = np.random.default_rng(0)
    x_train = rng.normal(size=(1000, 100))
    y_train = (x_train[:, :5].sum(1) > 0).astype(int)

    model = Sequential()
    model.add(layers.Dense(units=10, activation="relu", input_dim=100))
    model.add(layers.Dense(units=20, activation="relu"))
    model.add(layers.Dense(units=1, activation="sigmoid"))
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    history = model.fit(x_train, y_train, epochs=100, batch_size=32, verbose=0)

    assert history.history["accuracy"][-1] > 0.97
    assert len(history.history["loss"]) == 100
    loss, accuracy = model.evaluate(x_train, y_train, verbose=0)
    assert accuracy == pytest.approx(np.mean((model.predict(x_train)[:, 0] > 0.5) == y_train))
    assert loss < 0.2


def build(library):
    return library.Sequential(
        [
            library.Input((4,)),
            library.layers.Dense(3, "relu", name="first"),
            library.layers.Dropout(0.1, name="second"),
            library.layers.Dense(2, name="third"),
        ],
        name="stack",
    )


def test_structure_is_that_of_keras():
    ours, theirs = build(slipstream), build(keras)
    assert [v.path for v in ours.variables] == [
        v.path for v in theirs.variables if "seed" not in v.path
    ]
    assert ours.input_shape == theirs.input_shape
    assert ours.output_shape == theirs.output_shape
    assert ours.count_params() == theirs.count_params()
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    mine, other = ours.get_config(), theirs.get_config()
    for config in (mine, other):  # the automatic name of the input counts what came before
        config["layers"][0]["config"].pop("name")
    assert mine == other


def test_three_ways_to_say_the_inputs_shape():
    for first in (
        [layers.Input((4,)), layers.Dense(3)],
        [layers.Dense(3, input_dim=4)],
        [layers.Dense(3, input_shape=(4,))],
        [layers.InputLayer((4,)), layers.Dense(3)],
    ):
        model = Sequential(first)
        assert model.built
        assert model.output_shape == (None, 3)


def test_built_on_first_data():
    model = Sequential([layers.Dense(3), layers.Dense(2)])
    assert not model.built
    with pytest.raises(AttributeError, match="not built yet"):
        model.input_shape  # noqa: B018
    assert model(np.ones((5, 4), "f")).shape == (5, 2)
    assert model.input_shape == (None, 4)


def test_add_and_pop():
    model = Sequential([layers.Input((4,)), layers.Dense(3)])
    model.predict(np.ones((1, 4), "f"))
    model.add(layers.Dense(2))
    assert model.predict(np.ones((1, 4), "f")).shape == (1, 2)
    removed = model.pop()
    assert removed.units == 2
    assert model.predict(np.ones((1, 4), "f")).shape == (1, 3)
    kernel = model.layers[0].kernel.numpy()
    np.testing.assert_allclose(model.predict(np.ones((1, 4), "f")), kernel.sum(0)[None], rtol=1e-5)


def test_whole_numbers_reach_the_first_layer_unrounded():
    seen = []

    class Look(slipstream.layers.Layer):
        def call(self, inputs):
            seen.append(inputs.dtype)
            return inputs * 1.0

    Sequential([Look()]).predict(np.array([[2**24 + 1]], "int32"))
    assert str(seen[0]) == "int32"


def test_nested_stacks():
    inner = Sequential([layers.Dense(3, "relu")])
    model = Sequential([layers.Input((4,)), inner, layers.Dense(1)])
    model.compile("sgd", "mse")
    assert len(model.trainable_variables) == 4
    before = inner.get_weights()[0]
    x = np.random.default_rng(0).normal(size=(8, 4))
    model.fit(x, np.ones(8), verbose=0)
    assert (inner.get_weights()[0] != before).any()


def test_json_round_trip_keeps_architecture_and_compilation():
    model = build(slipstream)
    model.compile("rmsprop", "mse", metrics=["mae"])
    again = model_from_json(model.to_json())
    assert again.get_config() == model.get_config()
    assert again.compiled
    assert type(again.optimizer).__name__ == "RMSprop"
    assert [w.shape for w in again.get_weights()] == [w.shape for w in model.get_weights()]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sequential([layers.Dense]), "Call the class to make a layer"),
        (lambda: Sequential(["dense"]), "is made of layers; got 'dense'"),
        (
            lambda: Sequential([layers.Dense(1, input_dim=2), layers.Input((2,))]),
            "must be the first",
        ),
        (
            lambda: Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]),
            "named 'a' already",
        ),
        (lambda: Sequential().pop(), "no layer to pop"),
        (lambda: build(slipstream).get_layer("forth"), "no layer named 'forth'. It has: first"),
        (lambda: build(slipstream).get_layer(index=9), "none at 9"),
        (lambda: Sequential([layers.Dense(1)]).summary(), "not built"),
        (lambda: Sequential([layers.Dense(1)]).build(), "does not know its input's shape"),
    ],
)
def test_bad_use(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_summary_counts_parameters_flops_and_shapes():
    lines = []
    model = build(slipstream)
    model.summary(print_fn=lines.append, line_length=90)
    text = lines[0]
    assert "first (Dense)" in text
    assert "(None, 3)" in text
    # 4*3 + 3 and 3*2 + 2 parameters; two operations for each product and sum, one for the rest.
    assert "Parameters: 23 (92 B)" in text
    from slipstream.models.summary import rows

    table = rows(model)
    assert [row["params"] for row in table] == [15, 0, 8]
    assert [row["flops"] for row in table] == [2 * 12 + 3 + 3, 0, 2 * 6 + 2]
