"""`fit` trains as Keras does, whatever form the data come in and however it is cut up."""

import jax
import keras
import numpy as np
import pandas as pd
import pytest

import slipstream
from slipstream import layers, losses, optimizers
from slipstream.models import Model, Sequential
from slipstream.training import passes
from slipstream.utils import PyDataset, set_random_seed

ROWS = 70  # the last batch of 16 has 6 rows


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 5)).astype("f")
    y = (x[:, :1] + 0.3 * rng.normal(size=(ROWS, 1)) > 0).astype("f")
    return x, y


def network(library, **compiled):
    model = library.Sequential(
        [
            library.Input((5,)),
            library.layers.Dense(6, activation="relu"),
            library.layers.Dense(1, activation="sigmoid"),
        ]
    )
    settings = {"optimizer": "adam", "loss": "binary_crossentropy", "metrics": ["accuracy"]}
    model.compile(**{**settings, **compiled})
    return model


WEIGHTS = [
    w for s in ((5, 6), (6,), (6, 1), (1,)) for w in [np.random.default_rng(1).normal(size=s)]
]


def fitted(library, x, y, compiled=None, **arguments):
    model = network(library, **(compiled or {}))
    model.set_weights(WEIGHTS)
    settings = {"epochs": 3, "batch_size": 16, "shuffle": False, "verbose": 0}
    history = model.fit(x, y, **{**settings, **arguments}).history
    return model, history


def assert_same(ours, theirs, **tolerance):
    (our_model, our_history), (their_model, their_history) = ours, theirs
    assert list(our_history) == list(their_history)
    tolerance = {"rtol": 2e-5, "atol": 1e-6, **tolerance}
    for name, values in their_history.items():
        np.testing.assert_allclose(our_history[name], values, err_msg=name, **tolerance)
    for mine, other in zip(our_model.get_weights(), their_model.get_weights()):
        np.testing.assert_allclose(mine, other, **tolerance)


VARIANTS = {
    "plain": {},
    "validation split": {"validation_split": 0.2},
    "validation data, every second epoch": {"validation_data": True, "validation_freq": 2},
    "sample weights": {"sample_weight": np.random.default_rng(2).random(ROWS)},
    "class weights": {"class_weight": {0: 1.0, 1: 3.0}},
    "later first epoch": {"initial_epoch": 1},
    "one batch": {"batch_size": 500},
    "whole batches": {"batch_size": 14},
    "weighted metrics": {
        "compiled": {"weighted_metrics": ["mse"]},
        "sample_weight": np.random.default_rng(2).random(ROWS),
    },
    "metrics with state": {"compiled": {"metrics": ["AUC", "Precision", "mae"]}},
    "clipping and decay": {"compiled": {"optimizer": "adamw"}},
    "flat targets": {"flat": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_history_and_weights_are_those_of_keras(variant, data):
    arguments = dict(VARIANTS[variant])
    x, y = data
    if arguments.pop("flat", False):
        y = y[:, 0]
    if arguments.get("validation_data"):
        arguments["validation_data"] = (x[:20], y[:20])
    assert_same(fitted(slipstream, x, y, **arguments), fitted(keras, x, y, **arguments))


def test_regularizers_and_several_optimizer_options(data):
    def compiled(library):
        return {
            "optimizer": library.optimizers.SGD(
                library.optimizers.schedules.ExponentialDecay(0.1, 4, 0.7),
                momentum=0.9,
                nesterov=True,
                global_clipnorm=0.5,
            ),
            "loss": library.losses.BinaryCrossentropy(label_smoothing=0.1),
        }

    def run(library):
        model = library.Sequential(
            [
                library.Input((5,)),
                library.layers.Dense(
                    6,
                    "tanh",
                    kernel_regularizer="l2",
                    bias_regularizer=library.regularizers.L1(0.1),
                ),
                library.layers.Dense(1, "sigmoid", kernel_constraint="non_neg"),
            ]
        )
        model.compile(**compiled(library))
        model.set_weights(WEIGHTS)
        history = model.fit(*data, epochs=3, batch_size=16, shuffle=False, verbose=0).history
        return model, history

    assert_same(run(slipstream), run(keras))


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_packed_and_separate_weights_train_alike(optimizer, data, monkeypatch):
    packed = fitted(slipstream, *data, compiled={"optimizer": optimizer})
    monkeypatch.setattr("slipstream.training.state.PACK_LIMIT", 0)
    assert_same(packed, fitted(slipstream, *data, compiled={"optimizer": optimizer}))


def stop_each_batch():
    """A callback that makes every batch a dispatch of its own."""
    return slipstream.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
def test_chunks_equal_single_steps_bit_for_bit(optimizer, data, monkeypatch):
    compiled = {"optimizer": optimizer}
    model, history = fitted(slipstream, *data, compiled=compiled)
    for change in ("each batch", "two at a time"):
        with monkeypatch.context() as patch:
            arguments = {}
            if change == "each batch":
                arguments["callbacks"] = [stop_each_batch()]
            else:
                patch.setattr(passes.Pacer, "next", lambda self, remaining: min(2, remaining))
                arguments["callbacks"] = [slipstream.callbacks.Callback()]
                patch.setattr(passes.Pass, "at_once", lambda self, epochs: 1)
            other, other_history = fitted(slipstream, *data, compiled=compiled, **arguments)
        assert other_history == history
        for a, b in zip(model.get_weights(), other.get_weights()):
            np.testing.assert_array_equal(a, b)


def with_dropout():
    model = Sequential(
        [
            layers.Dense(8, "relu", input_dim=5),
            layers.Dropout(0.5),
            layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    return model


def seeded_history(data, seed, **arguments):
    set_random_seed(seed)
    settings = {"epochs": 3, "batch_size": 16, "verbose": 0, **arguments}
    return with_dropout().fit(*data, **settings).history["loss"]


def test_same_seed_same_result_and_another_seed_another(data):
    first = seeded_history(data, 3)
    assert seeded_history(data, 3) == first
    assert seeded_history(data, 3, callbacks=[stop_each_batch()]) == first
    assert seeded_history(data, 4) != first


def batches(x, y, size=16):
    return [(x[i : i + size], y[i : i + size]) for i in range(0, len(x), size)]


class Rows(PyDataset):
    def __init__(self, data):
        super().__init__()
        self.parts = batches(*data)

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, index):
        return self.parts[index]


class Torchlike:
    """What a DataLoader gives: lists of things that turn into arrays."""

    def __init__(self, data):
        self.parts = batches(*data)

    def __len__(self):
        return len(self.parts)

    def __iter__(self):
        for x, y in self.parts:
            yield [pd.DataFrame(x), pd.DataFrame(y)]


SOURCES = {
    "pandas": lambda x, y: (pd.DataFrame(x), pd.Series(y[:, 0])),
    "lists": lambda x, y: (x.tolist(), y.tolist()),
    "float64": lambda x, y: (x.astype("float64"), y.astype("int64")),
    "PyDataset": lambda x, y: (Rows((x, y)),),
    "generator": lambda x, y: (part for part in batches(x, y) * 3),
    "iterable": lambda x, y: (batches_of(x, y),),
    "loader": lambda x, y: (Torchlike((x, y)),),
}


class batches_of:
    """A plain iterable without a length, as tf.data can be."""

    def __init__(self, x, y):
        self.parts = batches(x, y)

    def __iter__(self):
        return iter(self.parts)


@pytest.mark.parametrize("kind", SOURCES)
def test_any_source_trains_like_arrays(kind, data):
    expected = fitted(slipstream, *data)
    x, y = data
    arguments = {}
    if kind == "generator":
        arguments = {"x": SOURCES[kind](x, y), "y": None, "steps_per_epoch": 5}
    else:
        given = SOURCES[kind](x, y)
        arguments = {"x": given[0], "y": given[1] if len(given) > 1 else None}
    assert_same(fitted(slipstream, **arguments), expected)


def test_data_too_large_for_the_device_are_streamed_alike(data, monkeypatch):
    expected = fitted(slipstream, *data, shuffle=True, compiled={})
    del expected  # only equal seeds can be compared
    set_random_seed(5)
    resident = with_dropout()
    first = resident.fit(*data, epochs=3, batch_size=16, verbose=0).history
    monkeypatch.setattr("slipstream.training.feed._budget", lambda: 0)
    set_random_seed(5)
    streamed = with_dropout()
    second = streamed.fit(*data, epochs=3, batch_size=16, verbose=0).history
    np.testing.assert_allclose(first["loss"], second["loss"], rtol=1e-6)
    for a, b in zip(resident.get_weights(), streamed.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


class Centred(layers.Layer):
    """Mixes the examples of a batch, so a filled-up batch would not count as it is."""

    def call(self, inputs):
        return inputs - inputs.mean(0)


class KerasCentred(keras.layers.Layer):
    def call(self, inputs):
        return inputs - inputs.mean(0)


@pytest.mark.parametrize("streamed", [False, True])
def test_partial_batches_are_exact_where_examples_meet(streamed, data):
    def run(library, layer):
        model = library.Sequential([library.Input((5,)), layer, library.layers.Dense(1)])
        model.compile("sgd", "mse", metrics=["mae"])
        model.set_weights([np.ones((5, 1)), np.zeros(1)])
        arguments = {"epochs": 3, "verbose": 0}
        if streamed and library is slipstream:
            history = model.fit(Rows(data), shuffle=False, **arguments)
        else:
            history = model.fit(*data, batch_size=16, shuffle=False, **arguments)
        return model, history.history

    ours, theirs = run(slipstream, Centred()), run(keras, KerasCentred())
    assert_same(ours, theirs)
    np.testing.assert_allclose(
        ours[0].predict(data[0], batch_size=16),
        theirs[0].predict(data[0], batch_size=16, verbose=0),
        rtol=1e-4, atol=1e-5,
    )  # fmt: skip


def test_a_users_loss_and_metric_see_only_real_rows(data):
    def spread(library):
        def loss(y_true, y_pred):
            errors = (y_true - y_pred) ** 2
            return library.ops.mean(errors) + library.ops.max(errors)

        return loss

    class Plain:
        ops = np

    def run(library, loss):
        compiled = {"loss": loss, "metrics": [loss]}
        return fitted(library, *data, compiled=compiled)

    import jax.numpy as jnp

    Plain.ops = jnp
    assert_same(run(slipstream, spread(Plain)), run(keras, spread(keras)))


class TwoHeads(Model):
    def __init__(self):
        super().__init__()
        self.trunk = layers.Dense(4, "relu")
        self.heads = {"a": layers.Dense(1), "b": layers.Dense(3, "softmax")}

    def call(self, inputs):
        hidden = self.trunk(inputs["left"]) + self.trunk(inputs["right"])
        return {name: head(hidden) for name, head in self.heads.items()}


def test_dictionaries_of_inputs_and_outputs(data):
    x, y = data
    model = TwoHeads()
    model.compile(
        optimizers.Adam(0.01),
        {"a": "mse", "b": losses.SparseCategoricalCrossentropy()},
        loss_weights={"a": 0.5, "b": 2.0},
        metrics={"b": ["accuracy"]},
    )
    inputs = {"left": x, "right": 0.1 * x}
    targets = {"a": y, "b": y[:, 0].astype("int32") * 2}
    history = model.fit(inputs, targets, epochs=60, batch_size=16, verbose=0).history
    assert set(history) == {"loss", "a_loss", "b_loss", "b_accuracy"}
    np.testing.assert_allclose(
        history["loss"][-1], 0.5 * history["a_loss"][-1] + 2 * history["b_loss"][-1], rtol=1e-5
    )
    assert history["b_accuracy"][-1] > 0.8
    outputs = model.predict(inputs)
    assert outputs["a"].shape == (ROWS, 1)
    np.testing.assert_allclose(outputs["b"].sum(1), 1, rtol=1e-5)


@pytest.mark.filterwarnings("ignore")  # both warn of epochs that are cut short
def test_short_epochs_go_on_through_the_data(data):
    long = fitted(slipstream, *data, epochs=3)
    short = fitted(slipstream, *data, epochs=6, steps_per_epoch=3)
    assert_same(short, fitted(keras, *data, epochs=6, steps_per_epoch=3))
    for a, b in zip(long[0].get_weights(), short[0].get_weights()):
        np.testing.assert_array_equal(a, b)


def test_weights_changed_inside_a_callback_count(data):
    def zero(epoch, logs):
        model.set_weights([np.zeros_like(w) for w in model.get_weights()])

    model = network(slipstream, optimizer=optimizers.SGD(0.0))
    callback = slipstream.callbacks.LambdaCallback(on_epoch_end=zero)
    history = model.fit(*data, epochs=2, verbose=0, callbacks=[callback]).history
    assert history["loss"][1] == pytest.approx(np.log(2), rel=1e-5)


def test_learning_rate_changed_inside_a_callback_counts(data):
    def stop_learning(epoch, logs):
        model.optimizer.learning_rate = 0.0
        seen.append(model.get_weights())

    seen = []
    model = network(slipstream)
    callback = slipstream.callbacks.LambdaCallback(on_epoch_end=stop_learning)
    model.fit(*data, epochs=3, verbose=0, callbacks=[callback])
    assert any((a != b).any() for a, b in zip(seen[0], WEIGHTS))
    for a, b in zip(seen[0], seen[2]):
        np.testing.assert_array_equal(a, b)


def test_frozen_layers_stay_and_compile_makes_it_so(data):
    model = network(slipstream)
    model.layers[0].trainable = False
    model.compile("adam", "binary_crossentropy")
    before = model.get_weights()
    model.fit(*data, verbose=0)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[2] != after[2]).any()


def test_two_models_share_a_layer(data):
    shared = layers.Dense(4, "relu", input_dim=5)
    first = Sequential([shared, layers.Dense(1, "sigmoid")])
    second = Sequential([layers.Input((5,)), shared, layers.Dense(1, "sigmoid")])
    for model in (first, second):
        model.compile("sgd", "binary_crossentropy")
    first.fit(*data, verbose=0)
    kernel = shared.kernel.numpy()
    second.fit(*data, verbose=0)
    assert (shared.kernel.numpy() != kernel).any()
    np.testing.assert_array_equal(first.layers[0].get_weights()[0], shared.kernel.numpy())
    first.fit(*data, verbose=0)
    np.testing.assert_array_equal(second.get_weights()[0], shared.kernel.numpy())


def test_history_of_a_second_fit_and_recompiling(data):
    model = network(slipstream)
    first = model.fit(*data, epochs=2, verbose=0)
    assert first.epoch == [0, 1]
    weights = model.get_weights()
    model.compile("sgd", "binary_crossentropy")
    for a, b in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(a, b)
    assert model.fit(*data, verbose=0).history["loss"][0] < first.history["loss"][0] + 1


def test_the_time_split_adds_up(data):
    import time

    model = network(slipstream)
    begin = time.perf_counter()
    model.fit(*data, epochs=5, verbose=0, validation_split=0.2)
    wall = time.perf_counter() - begin
    assert sum(model.last_run.values()) == pytest.approx(wall, rel=0.05)
    assert model.last_run["compile"] > 0.5 * wall
    assert set(model.last_run) >= {"build", "compile", "data", "train", "validate", "callbacks"}


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the options are those of the CPU")
def test_light_and_full_compiles_are_chosen_by_the_plan():
    from slipstream.core import engine

    def light(flops, steps):
        return engine.compiler_options(flops, steps) != {}

    assert light(1e5, 3200) and not light(1e5, 100_000)
    assert light(1e8, 200) and not light(1e8, 400)
    assert not light(1e9, 1)  # a long step
    assert engine.compiler_options(1e8, 400, light=True)  # no second compile for a little more


def test_on_a_gpu_short_runs_are_compiled_without_trying_out_products(monkeypatch):
    from slipstream.core import engine

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert engine.compiler_options(1e8, 1000) == {"xla_gpu_enable_triton_gemm": False}
    assert engine.compiler_options(1e8, 200_000) == {}
    assert engine.compiler_options(1e8, 150_000, light=True) != {}
    assert engine.compiler_options(1e13, 100) == {}


def test_verbose_prints_a_line_an_epoch_and_silence_is_silent(data, capsys):
    model = network(slipstream)
    model.fit(*data, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""
    for verbose in (1, 2):
        model.fit(*data, epochs=2, verbose=verbose)
        *lines, speed = capsys.readouterr().out.splitlines()
        assert speed.startswith("Speed: ") and "bound by" in speed
        assert [line.split(" · ")[0] for line in lines] == ["Epoch 1/2", "Epoch 2/2"]
        assert all("loss: " in line and "accuracy: " in line for line in lines)
