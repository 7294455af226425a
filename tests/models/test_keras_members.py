"""The members of Keras' `Model` and `Layer` are here, and do there what they do there."""

import inspect

import jax
import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers

X = np.random.default_rng(0).normal(size=(12, 3)).astype("f")
Y = np.random.default_rng(1).normal(size=(12, 2)).astype("f")

# Quantization and export are another story; Keras' `add_metric` only raises an error, and
# `inner_loop` is a step of its RNN.
LEFT_OUT = {
    "export", "get_quantization_layer_structure", "quantization_mode", "quantize",
    "quantized_build", "quantized_call", "add_metric", "inner_loop",
}  # fmt: skip


@pytest.mark.parametrize("name", ["Model", "Sequential", "layers.Layer", "layers.RNN"])
def test_every_public_member_is_here(name):
    theirs, ours = keras, slipstream
    for part in name.split("."):
        theirs, ours = getattr(theirs, part), getattr(ours, part)
    instance = {"dtype_policy"}  # set by `__init__` here, a property there
    wanted = {member for member in dir(theirs) if not member.startswith("_")}
    assert wanted - set(dir(ours)) - instance <= LEFT_OUT


MEMBERS = [
    "get_state_tree",
    "set_state_tree",
    "get_compile_config",
    "compile_from_config",
    "add_variable",
    "rematerialized_call",
    "build_from_config",
    "compute_mask",
    "symbolic_call",
    "stateless_call",
    "save",
    "save_weights",
    "compute_loss_and_updates",
    "make_predict_function",
    "jax_state_sync",
    "fit",
    "predict",
    "compile",
    "stateless_compute_loss",
    "compute_loss",
]
BEYOND = {"fit": {"check"}}  # ours, by name only


@pytest.mark.parametrize("name", MEMBERS)
def test_arguments_are_keras(name):
    def arguments(owner):
        return list(inspect.signature(getattr(owner, name)).parameters.values())

    ours, more = arguments(slipstream.Model), BEYOND.get(name, set())
    assert {p.name for p in ours if p.kind is p.KEYWORD_ONLY} >= more
    assert [(p.name, p.default) for p in ours if p.name not in more] == [
        (p.name, p.default) for p in arguments(keras.Model)
    ]


def network(library, **compiled):
    model = library.Sequential(
        [
            library.Input((3,)),
            library.layers.Dense(2, name="d", kernel_regularizer="l2"),
            library.layers.BatchNormalization(name="b"),
        ],
        name="s",
    )
    model.compile(
        **{"optimizer": "adam", "loss": "mse", "metrics": ["mae"], "loss_weights": 2.0, **compiled}
    )
    return model


def shapes(tree):
    return jax.tree.map(lambda value: (type(value).__module__.split(".")[0], value.shape), tree)


@pytest.mark.parametrize("form", ["backend_tensor", "numpy_array"])
def test_state_trees_are_keras_and_travel(form):
    ours, theirs = (
        network(library, optimizer=library.optimizers.Adam(name="adam"))
        for library in (slipstream, keras)
    )
    for model in (ours, theirs):
        model.fit(X, Y, verbose=0)
    tree = ours.get_state_tree(form)
    assert shapes(tree) == shapes(theirs.get_state_tree(form))
    ours.set_state_tree(theirs.get_state_tree("numpy_array"))
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X, verbose=0), atol=1e-5)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations)
    ours.fit(X, Y, epochs=3, verbose=0)
    ours.set_state_tree(tree)  # what was handed out is not touched by training
    again = ours.get_state_tree("numpy_array")
    jax.tree.map(np.testing.assert_array_equal, again, jax.tree.map(np.asarray, tree))
    ours.set_state_tree({"trainable_variables": {"s": {"d": {"bias": np.array([5.0, 6.0])}}}})
    np.testing.assert_array_equal(ours.layers[0].bias.numpy(), [5, 6])
    np.testing.assert_array_equal(ours.layers[0].kernel.numpy(), _kernel(tree))


def _kernel(tree):
    return tree["trainable_variables"]["s"]["d"]["kernel"]


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"weights": {"a": 1}}, "no variable 'weights/a'"),
        ({"trainable_variables": {"s": {"e": {"bias": [1, 2]}}}}, "no variable .*s/e/bias"),
        ({"trainable_variables": {"s": {"d": {"bias": [1, 2, 3]}}}}, r"\(3,\) there and \(2,\)"),
    ],
)
def test_bad_state_trees_change_nothing(tree, message):
    model = network(slipstream)
    good = {"trainable_variables": {"s": {"d": {"kernel": np.full((3, 2), 9.0)}}}}
    with pytest.raises(ValueError, match=message):
        model.set_state_tree(jax.tree.map(np.asarray, {**good, **tree}))
    assert (model.layers[0].kernel.numpy() != 9).all()
    with pytest.raises(ValueError, match="value_format"):
        model.get_state_tree("torch")


def test_compile_configs_travel_both_ways():
    ours, theirs = network(slipstream), network(keras)
    config, known = ours.get_compile_config(), theirs.get_compile_config()
    for each in (config, known):
        each.pop("jit_compile")
        each["optimizer"]["config"].pop("name")  # numbered by process
    assert config == known
    there, here = network(keras, loss="mae"), network(slipstream, loss="mae")
    there.set_weights(ours.get_weights())
    here.set_weights(ours.get_weights())
    there.compile_from_config(ours.get_compile_config())
    here.compile_from_config(theirs.get_compile_config())
    assert here.optimizer.built
    expected = ours.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"]
    for model in (there, here):
        found = model.fit(X, Y, epochs=2, verbose=0, shuffle=False).history["loss"]
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert slipstream.Sequential([layers.Dense(1)]).get_compile_config() == {}


def test_an_own_compile_config_is_what_a_file_holds(tmp_path):
    class Net(slipstream.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = layers.Dense(1)

        def call(self, inputs):
            return self.inner(inputs)

        def get_compile_config(self):
            return {"loss": "mae"}

        def compile_from_config(self, config):
            self.compile("sgd", config["loss"])

    net = Net()
    net.compile("adam", "mse")
    net(X)
    net.save(tmp_path / "n.keras")
    again = slipstream.models.load_model(tmp_path / "n.keras", custom_objects={"Net": Net})
    assert (again.loss, type(again.optimizer).__name__) == ("mae", "SGD")


def test_compute_loss_and_updates_is_keras():
    ours, theirs = network(slipstream), network(keras)
    for model in (ours, theirs):
        model.optimizer.build(model.trainable_variables)
        model.train_on_batch(X, Y)
    ours.set_weights(theirs.get_weights())

    def run(model):
        *values, last = [
            [np.array(v.numpy()) for v in variables]
            for variables in (
                model.trainable_variables,
                model.non_trainable_variables,
                model.metrics_variables,
                model.optimizer.variables,
            )
        ]
        scaled, rest = model.compute_loss_and_updates(*values, X, Y, None, True, last)
        return scaled, rest[0], rest[1], list(rest[2])

    for found, wanted in zip(jax.tree.leaves(run(ours)), jax.tree.leaves(run(theirs))):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_layers_know_the_metrics_they_hold():
    def build(library):
        class Holder(library.layers.Layer):
            def __init__(self):
                super().__init__()
                self.mean = library.metrics.Mean(name="mean")
                self.inner = library.layers.Dense(2)

            def call(self, inputs):
                return self.inner(inputs)

        layer = Holder()
        layer(X)
        return layer

    ours, theirs = build(slipstream), build(keras)
    assert [m.name for m in ours.metrics] == [m.name for m in theirs.metrics] == ["mean"]
    assert [v.path for v in ours.metrics_variables] == [v.path for v in theirs.metrics_variables]
    assert len(ours.weights) == len(theirs.weights) == 2


def test_small_members():
    layer = layers.Dense(2, dtype="mixed_float16")
    assert layer.input_dtype == keras.layers.Dense(2, dtype="mixed_float16").input_dtype
    variable = layer.add_variable((2,), "ones", trainable=False, name="v")
    assert (variable.name, variable.trainable, variable.shape) == ("v", False, (2,))
    symbol = layers.Input((3,))
    assert layer.symbolic_call(symbol).shape == (None, 2)
    model = network(slipstream, steps_per_execution=4)
    known = network(keras, steps_per_execution=4, jit_compile=True)
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):
        assert getattr(model, name) == getattr(known, name)
