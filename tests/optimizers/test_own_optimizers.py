"""Optimizers written as in Keras, several optimizers at once, and calling a rule by hand."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers, models, ops, optimizers
from slipstream.core.variable import Variable


def written_as_in_keras(library):
    """A rule with state for each weight, a count for all, and a hyperparameter."""

    class Heavy(library.optimizers.Optimizer):
        def __init__(self, learning_rate=0.01, rho=0.9, **kwargs):
            super().__init__(learning_rate=learning_rate, **kwargs)
            self.rho = rho

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self.sums = [self.add_variable_from_reference(v, name="sum") for v in variables]
            self.count = self.add_variable((), name="count", dtype="int32")

        def update_step(self, gradient, variable, learning_rate):
            rate = library.ops.cast(learning_rate, variable.dtype)
            late = library.ops.cast(self.iterations, variable.dtype)
            held = self.sums[self._get_variable_index(variable)]
            self.assign(held, self.rho * held + gradient / (1 + late))
            self.assign_sub(variable, rate * held)
            self.assign_add(self.count, 1)

        def get_config(self):
            return {**super().get_config(), "rho": self.rho}

    return Heavy


def changed_built_in(library):
    """A rule of Keras' with other gradients."""

    class Twice(library.optimizers.Nadam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(2 * gradient, variable, learning_rate)

    return Twice


def network(library):
    return library.models.Sequential(
        [
            library.layers.Input((3,)),
            library.layers.Dense(4, activation="tanh", name="first"),
            library.layers.Dense(2, name="last"),
        ],
        name="net",
    )


def trained(make, same_start=None, epochs=3):
    """Weights and variables of the optimizer after training in both libraries."""
    generator = np.random.default_rng(0)
    x, y = generator.normal(size=(10, 3)), generator.normal(size=(10, 2))
    found, start = [], None
    for library in (keras, slipstream):
        model = network(library)
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        model.compile(make(library), "mse")
        model.fit(x, y, batch_size=4, epochs=epochs, shuffle=False, verbose=0)
        own = {v.path.split("/")[-1]: np.asarray(v) for v in model.optimizer.variables}
        found.append((model.get_weights(), own))
    return found


OWN = {
    "own": lambda library: written_as_in_keras(library)(0.1, rho=0.5),
    "own, clipped and decayed": lambda library: written_as_in_keras(library)(
        0.1, clipnorm=0.3, weight_decay=0.1
    ),
    "own, accumulating": lambda library: written_as_in_keras(library)(
        0.1, gradient_accumulation_steps=2
    ),
    "own, scheduled": lambda library: written_as_in_keras(library)(
        library.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)
    ),
    "changed": lambda library: changed_built_in(library)(0.01),
}


@pytest.mark.parametrize("make", OWN.values(), ids=OWN)
def test_an_optimizer_written_as_in_keras_trains_as_in_keras(make):
    (theirs, their_own), (mine, my_own) = trained(make)
    for a, b in zip(theirs, mine):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)
    same = [name for name in their_own if "variable" not in name]  # Nadam's product has no name
    assert same == [name for name in my_own if name != "u_product"]
    for name in same:
        np.testing.assert_allclose(
            their_own[name], my_own[name], rtol=2e-4, atol=2e-6, err_msg=name
        )


def maps(library, keys):
    made = {
        "sgd": lambda: library.optimizers.SGD(0.1, momentum=0.5),
        "decayed": lambda: library.optimizers.SGD(0.05, weight_decay=0.2),
        "lion": lambda: library.optimizers.Lion(0.01),
    }
    return {key: made[name]() for key, name in keys.items()}


def several(keys, **kwargs):
    return lambda library: library.optimizers.MultiOptimizer(
        library.optimizers.OptimizerMap(library.optimizers.Adam(0.01), maps(library, keys)),
        **kwargs,
    )


MAPS = {
    "by layer": {".*first/.*": "sgd"},
    "exact": {"net/last/kernel": "lion", "net/last/bias": "decayed"},
    "all of it": {".*": "sgd"},
    "none": {"no such layer": "lion"},
}


def compare_several(keys, **kwargs):
    (theirs, their_own), (mine, my_own) = trained(several(keys, **kwargs))
    for a, b in zip(theirs, mine):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-6)
    assert sorted(their_own) == sorted(my_own)


@pytest.mark.parametrize("keys", MAPS.values(), ids=MAPS)
def test_several_optimizers_train_as_in_keras(keys):
    compare_several(keys)


def test_several_optimizers_with_a_loss_scale():
    mine = several({".*first/.*": "sgd"}, loss_scale_factor=8.0)(slipstream)
    assert float(mine.scale_loss(1.0)) == 8.0
    weight = Variable(np.ones(3), name="weight")
    mine.apply([np.full(3, 8.0)], [weight])
    plain = Variable(np.ones(3), name="plain")
    optimizers.Adam(0.01).apply([np.ones(3)], [plain])
    np.testing.assert_allclose(weight.numpy(), plain.numpy(), rtol=1e-6)


def test_several_optimizers_survive_a_file(tmp_path):
    model = network(slipstream)
    model.compile(several({".*first/.*": "sgd"})(slipstream), "mse")
    x, y = np.ones((6, 3)), np.zeros((6, 2))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    for model_ in (model, again):
        model_.fit(x, y, epochs=2, verbose=0)
    for a, b in zip(model.get_weights(), again.get_weights()):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_weight_without_a_gradient_is_left_alone_by_each_kind():
    for make in (OWN["own"], several({"b": "sgd"})):
        weights = [Variable(np.ones(2), name=name) for name in "abc"]
        optimizer = make(slipstream)
        with pytest.warns(UserWarning, match="No gradient for a"):
            optimizer.apply([None, np.ones(2), np.ones(2)], weights)
        assert weights[0].numpy().tolist() == [1, 1]
        assert all(np.all(weight.numpy() < 1) for weight in weights[1:])


def test_mistakes_in_maps_are_told():
    adam, sgd = optimizers.Adam(), optimizers.SGD()
    with pytest.raises(TypeError, match="default_optimizer"):
        optimizers.OptimizerMap("adam")
    with pytest.raises(ValueError, match="holds optimizers; got 3"):
        optimizers.OptimizerMap(adam, {"a": 3})
    chosen = optimizers.OptimizerMap(adam, {"a": sgd, "b.*": sgd, ".*c": sgd})
    assert chosen["a"] is sgd and chosen["ab"] is adam
    with pytest.raises(ValueError, match="already"):
        chosen["a"] = adam
    with pytest.raises(ValueError, match="Several keys"):
        chosen["bc"]
    with pytest.raises(ValueError, match="loss scale of its own"):
        optimizers.MultiOptimizer(optimizers.OptimizerMap(optimizers.Adam(loss_scale_factor=2.0)))
    with pytest.raises(AttributeError, match="own learning rate"):
        optimizers.MultiOptimizer(chosen).learning_rate  # noqa: B018


RULES = ["SGD", "RMSprop", "Adam", "Adagrad", "Adadelta", "Adamax", "Ftrl", "Lion"]


@pytest.mark.parametrize("name", [*RULES, "Lamb", "Adafactor", "Muon", "ScheduleFreeAdamW"])
def test_update_step_called_by_hand_equals_keras(name):
    start, gradient = (
        np.arange(6, dtype="float32").reshape(2, 3) / 5,
        np.float32([[1, -2, 0.5]] * 2),
    )
    theirs = keras.Variable(start, name="w")
    mine = Variable(start, name="w")
    for module, weight in ((keras.optimizers, theirs), (optimizers, mine)):
        optimizer = getattr(module, name)()
        optimizer.build([weight])
        for _ in range(2):
            optimizer.update_step(jnp.asarray(gradient), weight, jnp.float32(0.1))
    np.testing.assert_allclose(theirs.numpy(), mine.numpy(), rtol=1e-5, atol=1e-6)


def test_variables_of_an_optimizer_have_keras_names_and_values():
    found = []
    for library, variable in ((keras, keras.Variable), (slipstream, Variable)):
        weight = variable(np.ones(2, "float32"), name="w")
        optimizer = library.optimizers.SGD(0.1, name="o")
        optimizer.build([weight])
        optimizer.add_variable((2,), name="x", initializer="ones", dtype="int32")
        optimizer.add_variable_from_reference(weight)
        optimizer.add_optimizer_variables([weight], "m")
        pair = optimizer.add_optimizer_variables([weight], ["n", "q"], ["zeros", "ones"])
        optimizer.assign(weight, np.float32([3, 4]))
        optimizer.assign_add(weight, 1.0)
        optimizer.assign_sub(weight, 2.0)
        own = [(v.path, str(v.dtype), np.asarray(v).tolist()) for v in optimizer.variables]
        found.append((own, np.asarray(pair[1][0]).tolist(), np.asarray(weight).tolist()))
    assert found[0] == found[1]


def test_muons_parts():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    theirs, mine = keras.optimizers.Muon(), optimizers.Muon()
    np.testing.assert_allclose(theirs.lr_adjust(x), mine.lr_adjust(x), rtol=1e-6)
    np.testing.assert_allclose(
        theirs.zeropower_via_newtonschulz5(x, 3),
        mine.zeropower_via_newtonschulz5(x, 3),
        rtol=1e-4,
        atol=1e-5,
    )


def test_a_layer_trains_alone_with_an_optimizer_of_ones_own():
    layer = layers.Dense(1)
    layer.build((None, 2))
    optimizer = written_as_in_keras(slipstream)(0.1)
    optimizer.build(layer.trainable_variables)
    before = [v.value for v in layer.trainable_variables]
    gradients = [ops.ones_like(v) for v in before]
    own = [v.value for v in optimizer.variables]
    values, own = optimizer.stateless_apply(own, gradients, before)
    assert not np.allclose(values[0], before[0])
    assert np.allclose(layer.get_weights()[0], before[0])
