"""Functional models: what Keras builds from the same lines, built here."""

import json

import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers, models

# Each builds the same model in either library.


def branches(k):
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    shared = k.layers.Dense(5, activation="relu", name="shared")
    x = shared(a) + 2.0 * k.layers.Dense(5, name="other")(b)
    x = k.layers.Dense(4, name="back")(x)
    return k.Model([a, b], k.layers.Dense(1, name="out")(shared(x)))


def arithmetic(k):
    x = k.Input((4,), name="x")
    y = (1 - x) / 2 + x**2
    z = k.ops.concatenate([y, k.ops.mean(x, axis=1, keepdims=True)], axis=-1)[:, 1:]
    return k.Model(x, [k.layers.Dense(2, name="first")(z), -z])


def dictionaries(k):
    ins = {"left": k.Input((2,), name="left"), "right": k.Input((2,), name="right")}
    both = k.ops.concatenate([ins["left"], ins["right"]], axis=1)
    hidden = k.layers.Dense(3, name="hidden")(both)
    return k.Model(
        ins,
        {"b": k.layers.Dense(1, name="one")(hidden), "a": k.layers.Dense(2, name="two")(hidden)},
    )


def nested(k):
    inner_in = k.Input((3,), name="inner_in")
    inner = k.Model(
        inner_in, k.layers.Dense(3, activation="tanh", name="d")(inner_in), name="inner"
    )
    stack = k.Sequential([k.Input((3,)), k.layers.Dense(3, name="e")], name="stack")
    x = k.Input((3,), name="x")
    return k.Model(x, stack(inner(inner(x))) + x)


def skips(k):
    x = start = k.Input((4,), name="x")
    tails = []
    for i in range(4):
        y = k.layers.Dense(4, name=f"a{i}")(x)
        tails.append(k.layers.Dense(1, name=f"tail{i}")(y))
        x = x + k.layers.Dense(4, name=f"b{i}")(y)
    unused = k.Input((2,), name="unused")
    return k.Model([unused, start], [*reversed(tails), x])


def inside_out(k):
    start = k.Input((4,), name="start")
    middle = k.layers.Dense(3, name="m")(start)
    return k.Model(middle, k.layers.Dense(2, name="n")(middle))


BUILDERS = [branches, arithmetic, dictionaries, nested, skips, inside_out]


def data_for(model, rows=5, seed=0):
    numbers = np.random.default_rng(seed)
    return [numbers.normal(size=(rows, *s.shape[1:])).astype("f") for s in model.inputs]


def make_positive(model):
    """Weights whose products with positive numbers do not cancel out, so that sums are exact."""
    model.set_weights([np.abs(weight) for weight in model.get_weights()])


def shaped(model, values):
    if isinstance(model.input, dict):
        return dict(zip(model.input, values))
    return values if isinstance(model.input, list) else values[0]


def leaves(outputs):
    if isinstance(outputs, dict):
        return [outputs[key] for key in sorted(outputs)]
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def same_outputs(ours, theirs):
    values = data_for(ours)
    mine = leaves(ours.predict(shaped(ours, values), verbose=0))
    other = leaves(theirs.predict(shaped(theirs, values), verbose=0))
    assert len(mine) == len(other)
    for a, b in zip(mine, other):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def give_weights(ours, theirs):
    numbers = np.random.default_rng(7)
    values = [numbers.normal(size=tuple(w.shape)).astype("f") for w in theirs.weights]
    theirs.set_weights(values)
    ours.set_weights(values)


@pytest.mark.parametrize("build", BUILDERS)
def test_order_of_layers_and_weights_and_outputs_are_keras(build):
    ours, theirs = build(slipstream), build(keras)
    named = [(type(a).__name__, type(b).__name__) for a, b in zip(ours.layers, theirs.layers)]
    assert all(a == b for a, b in named)
    assert [w.shape for w in ours.weights] == [tuple(w.shape) for w in theirs.weights]
    assert len(ours.layers) == len(theirs.layers)
    give_weights(ours, theirs)
    same_outputs(ours, theirs)


@pytest.mark.parametrize("build", BUILDERS)
def test_json_goes_both_ways(build):
    ours, theirs = build(slipstream), build(keras)
    here = models.model_from_json(theirs.to_json())
    there = keras.models.model_from_json(ours.to_json())
    for mine, other in ((here, theirs), (ours, there)):
        give_weights(mine, other)
        same_outputs(mine, other)
    again = models.model_from_json(ours.to_json())
    assert again.to_json() == ours.to_json()


@pytest.mark.parametrize("build", BUILDERS)
def test_files_go_both_ways(build, tmp_path):
    ours, theirs = build(slipstream), build(keras)
    give_weights(ours, theirs)
    ours.save(tmp_path / "ours.keras")
    theirs.save(tmp_path / "theirs.keras")
    same_outputs(models.load_model(tmp_path / "theirs.keras"), theirs)
    same_outputs(ours, keras.models.load_model(tmp_path / "ours.keras"))


def test_a_part_of_a_model_is_a_model():
    whole = branches(slipstream)
    part = slipstream.Model(whole.inputs, whole.get_layer("other").output)
    values = [np.abs(array) for array in data_for(whole)]
    make_positive(whole)
    expected = np.asarray(whole.get_layer("other")(values[1]))
    np.testing.assert_allclose(part.predict(values, verbose=0), expected, rtol=1e-6)
    stack = slipstream.Sequential([layers.Input((3,)), layers.Dense(4), layers.Dense(2)])
    features = slipstream.Model(stack.inputs, stack.layers[0].output)
    x = np.ones((2, 3), "f")
    make_positive(stack)
    np.testing.assert_allclose(features.predict(x, verbose=0), stack.layers[0](x), rtol=1e-6)


def test_data_by_name_and_by_order_train_alike():
    histories = []
    for by_name in (True, False):
        slipstream.utils.set_random_seed(3)
        model = branches(slipstream)
        x = data_for(model, 70)
        y = x[0].sum(1)
        model.compile("adam", "mse")
        given = {"b": x[1], "a": x[0], "more": x[1]} if by_name else x
        histories.append(model.fit(given, y, epochs=2, verbose=0, shuffle=False).history["loss"])
    assert histories[0] == histories[1]


def test_several_outputs_train_as_in_keras():
    def fit(k):
        model = dictionaries(k)
        if k is keras:
            give_weights(models.model_from_json(model.to_json()), model)
        numbers = np.random.default_rng(7)
        model.set_weights([numbers.normal(size=tuple(w.shape)).astype("f") for w in model.weights])
        model.compile(
            k.optimizers.SGD(0.01),
            loss={"a": "mse", "b": "mae"},
            loss_weights={"a": 0.3, "b": 1.0},
            metrics={"b": ["mse"]},
        )
        numbers = np.random.default_rng(1)
        x = {name: numbers.normal(size=(20, 2)).astype("f") for name in ("left", "right")}
        y = {"a": x["left"], "b": x["right"][:, :1]}
        history = model.fit(x, y, epochs=3, batch_size=8, shuffle=False, verbose=0).history
        return history, model.get_weights()

    (mine, ours), (other, theirs) = fit(slipstream), fit(keras)
    assert set(mine) == set(other)
    for name in mine:
        np.testing.assert_allclose(mine[name], other[name], rtol=1e-4)
    for a, b in zip(ours, theirs):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_mask_flows_through_a_graph(rng):
    class Sum(layers.Layer):
        def call(self, x, mask=None):
            return x.sum(1) if mask is None else (x * mask[..., None].astype(x.dtype)).sum(1)

    x = layers.Input((None, 3))
    masked = Marking()(x)
    model = slipstream.Model(x, Sum()(layers.Dense(2, use_bias=False, name="d")(masked)))
    value = rng.normal(size=(2, 4, 3)).astype("f")
    value[:, 2:] = 0
    expected = (value @ model.get_layer("d").get_weights()[0]).sum(1)
    np.testing.assert_allclose(model.predict(value, verbose=0), expected, rtol=1e-4)


class Marking(layers.Layer):
    """Masks steps that are all zero."""

    supports_masking = True

    def call(self, x):
        return x

    def compute_mask(self, x, previous_mask=None):
        return (x != 0).any(-1)


def test_rows_that_an_operation_mixes_are_not_filled_up():
    x = layers.Input((3,))
    apart = slipstream.Model(x, layers.Dense(1)(x * 2 + slipstream.ops.mean(x, 1, keepdims=True)))
    mixed = slipstream.Model(x, layers.Dense(1)(x - slipstream.ops.mean(x, axis=0)))
    assert apart.per_example and not mixed.per_example
    values = np.arange(15, dtype="f").reshape(5, 3)
    kernel, bias = mixed.get_weights()
    np.testing.assert_allclose(
        mixed.predict(values, verbose=0), (values - values.mean(0)) @ kernel + bias, rtol=1e-5
    )


def test_a_subclass_made_of_inputs_and_outputs_keeps_its_own_methods(tmp_path):
    @slipstream.saving.register_serializable("test_functional")
    class Doubled(slipstream.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return 2 * super().compute_loss(x, y, y_pred, sample_weight, training)

    x = layers.Input((2,))
    y = layers.Dense(1, kernel_initializer="ones", name="d")(x)
    plain, doubled = slipstream.Model(x, y), Doubled(x, y)
    data = np.ones((4, 2), "f"), np.zeros((4, 1), "f")
    for model in (plain, doubled):
        model.compile("sgd", "mse")
    assert doubled.evaluate(*data, verbose=0) == 2 * plain.evaluate(*data, verbose=0)
    doubled.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras")
    assert type(again) is Doubled
    np.testing.assert_array_equal(again.predict(data[0]), doubled.predict(data[0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x, y: slipstream.Model(x, np.ones(3)), "symbolic tensors"),
        (lambda x, y: slipstream.Model([], []), "symbolic tensors"),
        (lambda x, y: slipstream.Model([x, x], x + y), "must all be different"),
        (lambda x, y: slipstream.Model(x, x + y), "not among its inputs"),
        (lambda x, y: slipstream.Model(inputs=x), "no outputs"),
        (
            lambda x, y: slipstream.Model(
                x, layers.Dense(1, name="n")(layers.Dense(3, name="n")(x))
            ),
            "Two layers of the model are named 'n'",
        ),
        (lambda x, y: slipstream.Model([x, y], x + y).predict({"x": np.ones((2, 3))}), "'y'"),
        (lambda x, y: slipstream.Model([x, y], x + y).predict([np.ones((2, 3))]), "2 inputs"),
        (
            lambda x, y: slipstream.Model(x, x * 2).predict(np.ones((2, 4))),
            r"\(None, 3\).*\(2, 4\)",
        ),
        (lambda x, y: slipstream.Model(x, x * 2).get_layer("z"), "no layer named 'z'"),
    ],
)
def test_bad_graphs_and_data(make, message):
    with pytest.raises(ValueError, match=message):
        make(layers.Input((3,), name="x"), layers.Input((3,), name="y"))


def test_damaged_configurations_are_refused():
    config = json.loads(branches(slipstream).to_json())
    steps = config["config"]["layers"]
    step = next(step for step in steps if step["name"] == "back")
    step["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["out", 0, 0]
    with pytest.raises(ValueError, match="cannot be rebuilt"):
        models.model_from_json(json.dumps(config))
    step["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["nobody", 0, 0]
    with pytest.raises(ValueError, match="'nobody'"):
        models.model_from_json(json.dumps(config))


def test_the_summary_shows_shapes_and_counts_every_call():
    lines = []
    branches(slipstream).summary(print_fn=lines.append, line_length=120)
    text = "\n".join(lines)
    assert "(None, 5)" in text
    # shared: twice (4·5 multiply-adds, 5 additions, 5 relus)
    shared = next(line for line in text.splitlines() if "shared" in line)
    assert "100" in shared and "25" in shared
    nested(slipstream).summary(print_fn=lines.append)
