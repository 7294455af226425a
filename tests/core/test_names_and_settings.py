"""Policies, input specs, registered names and settings under Keras' names, beside Keras."""

import logging

import jax
import keras
import numpy as np
import pytest

import slipstream

LIBRARIES = (keras, slipstream)
ONES = np.ones((2, 3), "float32")


def same(function):
    """What a function gives in both libraries, an error as its type; they must agree."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(function(library))
        except Exception as error:
            found.append(type(error))
    assert found[0] == found[1]
    return found[1]


SPECS = [
    {"shape": (None, 3)}, {"ndim": 2}, {"max_ndim": 2}, {"min_ndim": 2}, {"axes": {-1: 3}},
    {"axes": {1: 3}}, {"dtype": "int32"}, {"shape": (None, 3, 1), "allow_last_axis_squeeze": True},
    {"shape": (None, 3), "allow_last_axis_squeeze": True}, {"axes": {-1: None}}, {},
]  # fmt: skip
SHAPES = [(2, 3), (2, 4), (2,), (2, 3, 1), (2, 3, 4), (2, 4, 1), (2, 3, 1, 1)]


def checked(library, spec, value):
    class Checked(library.layers.Layer):
        def build(self, *args, **kwargs):
            self.built = True

        def call(self, x):
            return library.ops.ones((1,))

    layer = Checked()
    layer.input_spec = spec
    return np.asarray(layer(value)).shape


@pytest.mark.parametrize("arguments", SPECS, ids=str)
def test_a_spec_lets_in_what_keras_lets_in(arguments):
    for shape in SHAPES:
        if len(shape) == 1 and arguments.get("axes") == {1: 3}:
            continue  # an IndexError in Keras
        plain = len(shape) == 2 or (len(shape) == 3 and shape[-1] == 1)
        if "allow_last_axis_squeeze" in arguments and not plain:
            continue  # Keras compares as many axes as both have
        for dtype in ("float32", "int32"):
            value = np.zeros(shape, dtype)
            same(lambda lib, v=value: checked(lib, lib.InputSpec(**arguments), v))


def test_several_specs():
    a, b = np.zeros((2, 2)), np.zeros((2, 2, 2))

    def run(given, **second):
        return same(
            lambda lib: checked(
                lib, [lib.InputSpec(ndim=2, name="a"), lib.InputSpec(**second)], given
            )
        )

    assert run([a, b], ndim=3) == (1,)
    assert run([a, a], ndim=3) is ValueError
    assert run([a], ndim=3) is ValueError
    assert run([a, None], ndim=3, optional=True) == (1,)
    assert run({"a": a, "b": b}, ndim=3, name="b") == (1,)
    assert run({"a": a, "c": b}, ndim=3, name="b") is ValueError


def test_the_parts_of_a_spec():
    for arguments in SPECS:
        same(lambda lib, a=arguments: lib.InputSpec(**a).get_config())
    for bad in ({"axes": {"a": 3}}, {"ndim": 2, "axes": {3: 3}}, {"max_ndim": 2, "axes": {3: 1}}):
        assert same(lambda lib, b=bad: lib.InputSpec(**b)) in (TypeError, ValueError)


def test_policies():
    for name in (None, "float32", "mixed_float16", "bfloat16", "hello", 3):
        same(lambda lib, n=name: lib.dtype_policies.get(n).get_config())

    def run(lib):
        policy = lib.dtype_policies.get("mixed_float16")
        config = lib.dtype_policies.serialize(policy)
        again = lib.dtype_policies.deserialize(config).get_config()
        kinds = [
            str(policy.convert_input(x, autocast, "float16").dtype)
            for x in (ONES, np.ones(2, "int32"), lib.Variable(1.0), lib.KerasTensor((2,)))
            for autocast in (True, False)
        ]
        return config, again, kinds, policy.quantization_mode, policy.convert_input(3, True, "int8")

    same(run)


def test_a_map_of_policies():
    def made(lib):
        policies = lib.dtype_policies
        found = policies.DTypePolicyMap("float32", {"dense": policies.get("bfloat16")})
        found["a/b.*"] = policies.get("float16")
        return found

    for path in ("dense", "x/dense", "dense/kernel", "a/bcc", "z/a/bcc", "a/b"):
        same(lambda lib, p=path: made(lib)[p].name)
    same(lambda lib: (list(made(lib)), len(made(lib)), made(lib).name, made(lib).compute_dtype))
    same(lambda lib: made(lib).get_config())
    same(lambda lib: made(lib).__setitem__("dense", "float16"))
    same(lambda lib: made(lib).__setitem__("x", 3))
    again = slipstream.dtype_policies.get(slipstream.dtype_policies.serialize(made(slipstream)))
    assert again == made(slipstream) and again["a/bx"].name == "float16"
    assert slipstream.layers.Dense(1, dtype=again["a/bx"]).compute_dtype == "float16"


def test_registered_names():
    def run(lib):
        saving = lib.saving

        @saving.register_keras_serializable("names")
        class Own(lib.layers.Layer):
            pass

        assert saving.get_custom_objects()["names>Own"] is Own
        with saving.custom_object_scope(custom_objects={"x": 7}):
            inside = saving.get_registered_object("x", {"x": 3}, {"x": 2})
        return (
            saving.get_registered_name(obj=Own),
            saving.get_registered_object("names>Own", {"names>Own": 1}) is Own,
            saving.get_registered_object("x", module_objects={"x": 2}),
            saving.get_registered_object("x", {"x": 3}, {"x": 2}),
            inside,
            saving.get_registered_object("x"),
            lib.layers.serialize(layer=lib.layers.Flatten(name="f"))["class_name"],
            saving.deserialize_keras_object([1, "a"], safe_mode=True),
            lib.utils.is_keras_tensor(x=lib.Input((1,))),
        )

    assert same(run)[0] == "names>Own"
    wrong = {"module": "keras.losses", "class_name": "MeanSquaredError", "config": {}}
    with pytest.raises(ValueError, match="no layer"):
        slipstream.layers.deserialize(wrong)


@pytest.mark.filterwarnings("ignore")
def test_limits_of_epochs_and_steps():
    def run(lib):
        x, y = np.ones((30, 2), "float32"), np.ones((30, 1), "float32")
        model = lib.models.Sequential([lib.layers.Dense(1)])
        model.compile("sgd", "mse")
        lib.config.set_max_epochs(2)
        lib.config.set_max_steps_per_epoch(3)
        try:
            limits = lib.config.max_epochs(), lib.config.max_steps_per_epoch()
            found = []
            for arguments in ({"epochs": 5}, {"epochs": 5, "initial_epoch": 1}, {"epochs": 1},
                              {"epochs": 2, "steps_per_epoch": 2}):  # fmt: skip
                history = model.fit(x, y, batch_size=5, verbose=0, **arguments)
                found.append((history.epoch, int(model.optimizer.iterations)))
            rows = len(model.predict(x, batch_size=5, verbose=0))
            x[15:] = 50  # which no evaluation gets to see
            loss = model.evaluate(x, y, batch_size=5, verbose=0)
        finally:
            lib.config.set_max_epochs(None)
            lib.config.set_max_steps_per_epoch(None)
        return limits, found, rows, bool(loss < model.evaluate(x, y, verbose=0))

    assert same(run)[2:] == (15, True)


def test_progress_goes_to_the_log_where_the_terminal_is_not_wanted(capsys, caplog):
    model = slipstream.models.Sequential([slipstream.layers.Dense(1)])
    model.compile("sgd", "mse")
    slipstream.utils.disable_interactive_logging()
    try:
        assert not slipstream.config.is_interactive_logging_enabled()
        with caplog.at_level(logging.INFO, "slipstream"):
            model.fit(ONES, ONES[:, :1], epochs=2)
    finally:
        slipstream.utils.enable_interactive_logging()
    assert capsys.readouterr().out == ""
    told = [record.message.split()[0] for record in caplog.records]
    assert told == ["Epoch", "Epoch", "Speed:"]
    model.fit(ONES, ONES[:, :1])
    assert "Epoch 1/1" in capsys.readouterr().out


def test_the_area_under_precision_by_recall():
    def run(lib):
        metric = lib.metrics.AUC(curve="PR", num_thresholds=5)
        metric.update_state([0, 1, 1, 0, 1], [0.1, 0.4, 0.8, 0.6, 0.9])
        return round(float(metric.interpolate_pr_auc()), 6), round(float(metric.result()), 6)

    first, second = same(run)
    assert first == second


def test_weights_by_functions(tmp_path):
    model = slipstream.models.Sequential(
        [slipstream.layers.Input((2,)), slipstream.layers.Dense(1)]
    )
    slipstream.saving.save_weights(model, tmp_path / "w.weights.h5")
    other = slipstream.models.clone_model(model)
    slipstream.saving.load_weights(other, tmp_path / "w.weights.h5")
    for a, b in zip(model.get_weights(), other.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_orbax_checkpoints(tmp_path):
    orbax = pytest.importorskip("orbax.checkpoint")
    model = slipstream.models.Sequential(
        [slipstream.layers.Input((3,)), slipstream.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    saver = slipstream.callbacks.OrbaxCheckpoint(tmp_path, monitor="loss", max_to_keep=2)
    model.fit(ONES, ONES[:, :1], epochs=3, verbose=0, callbacks=[saver])
    manager = orbax.CheckpointManager(tmp_path)
    assert manager.all_steps() == [1, 2]
    found = manager.restore(2, args=orbax.args.Composite(pytree=orbax.args.StandardRestore()))
    weights = model.get_weights()
    model.set_weights([weight * 0 for weight in weights])
    model.set_state_tree(jax.tree.map(np.asarray, found["pytree"]))
    for a, b in zip(weights, model.get_weights()):
        np.testing.assert_array_equal(a, b)


def test_what_orbax_needs_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "orbax.checkpoint", None)
    with pytest.raises(ImportError, match=r"slipstream\[orbax\]"):
        slipstream.callbacks.OrbaxCheckpoint(tmp_path)
