"""Keras' face of the optimizers: variables, configuration, learning rate, saving, bad input."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from optimizer_cases import (
    RULES,
    WITH_OPTIONS,
    apply_keras,
    gradients,
    label,
    ours,
    plain,
    theirs,
)

from slipstream import optimizers
from slipstream.core.registry import register_serializable
from slipstream.core.scope import Scope
from slipstream.core.variable import Variable
from slipstream.optimizers import SGD, Adam, AdamW, Ftrl, Lion, Optimizer

NAMES = [n for n in optimizers.__all__ if n[0].isupper() and hasattr(keras.optimizers, n)]
RULE_NAMES = [
    name
    for name in NAMES
    if name not in ("Optimizer", "LossScaleOptimizer", "MultiOptimizer", "OptimizerMap")
]
ONE = np.ones((), "float32")


def weight(value=0.0, name="w", **options):
    return Variable(np.asarray(value, "float32"), name=name, **options)


# ---- beside Keras -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RULE_NAMES, "Optimizer"])
def test_arguments_are_keras_ones(name):
    own, reference = (
        [
            (p.name, p.default)
            for p in inspect.signature(getattr(module, name)).parameters.values()
            if p.kind is not p.VAR_KEYWORD
        ]
        for module in (optimizers, keras.optimizers)
    )
    assert own == reference


@pytest.mark.parametrize("case", RULES + WITH_OPTIONS, ids=label)
def test_variables_have_keras_names_shapes_and_order(case):
    def described(pair):
        optimizer, weights = pair
        optimizer.build(weights)
        return [(v.name, tuple(v.shape), str(v.dtype)) for v in optimizer.variables]

    own, reference = described(ours(*case)), described(theirs(*case))
    if case[0] == "Nadam":  # Keras leaves the product of momenta without a name
        assert own.pop() == ("u_product", (), "float32")
        assert reference.pop()[1:] == ((), "float32")
    assert own == reference


def test_variables_of_layers_are_named_by_their_path():
    own, reference = Adam(), keras.optimizers.Adam()
    own.build([Variable(np.ones(2), name="kernel", path="model/dense/kernel")])
    layer = keras.layers.Dense(1, name="dense")
    layer.build((None, 2))
    reference.build(layer.trainable_variables)
    assert own.variables[2].name == "model_dense_kernel_momentum"
    assert reference.variables[2].name == "dense_kernel_momentum"


@pytest.mark.parametrize("case", RULES + WITH_OPTIONS, ids=label)
def test_configurations_are_keras_ones(case):
    own, reference = ours(*case)[0], theirs(*case)[0]
    config = optimizers.serialize(own)
    expected = keras.optimizers.serialize(reference)
    expected["config"]["name"] = own.name
    assert config == expected
    again = optimizers.deserialize(config)
    assert type(again) is type(own) and again.get_config() == own.get_config()


@pytest.mark.parametrize("name", RULE_NAMES)
def test_state_saved_by_keras_goes_on_here(name):
    steps = gradients(6)
    reference, expected = theirs(name, {"weight_decay": 0.1})
    apply_keras(reference, expected, steps[:3])
    store = {}
    reference.save_own_variables(store)
    own, weights = ours(name, {"weight_decay": 0.1})
    for variable, value in zip(weights, expected):
        variable.assign(plain(value))
    own.build(weights)
    own.load_own_variables(store)
    apply_keras(reference, expected, steps[3:])
    for grads in steps[3:]:
        own.apply(grads)
    for got, wanted in zip(weights, expected):
        np.testing.assert_allclose(plain(got), plain(wanted), rtol=1e-5, atol=1e-6)
    again = {}
    own.save_own_variables(again)
    assert {key: np.shape(value) for key, value in again.items()} == {
        key: np.shape(value) for key, value in store.items()
    }


@pytest.mark.parametrize("name", ["SGD", "Adam", "Muon"])
def test_exclusions_and_constraints_follow_keras(name):
    results = []
    for optimizer, weights in (pair(name, {"weight_decay": 0.3}) for pair in (ours, theirs)):
        optimizer.exclude_from_weight_decay(var_list=[weights[0]], var_names=["bi.s", "other"])
        for variable in weights[1:]:
            variable.constraint = lambda value: jnp.clip(np.asarray(value), -0.5, 0.5)
        for grads in gradients(3):
            optimizer.apply([jnp.asarray(grad) for grad in grads], weights)
        results.append([plain(variable) for variable in weights])
    for got, wanted in zip(*results):
        np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=1e-6)


def test_averages_are_taken_before_constraints_and_replace_the_weights_in_the_end():
    results = []
    for make, variable in (
        (SGD, weight()),
        (keras.optimizers.SGD, keras.Variable(0.0, name="w")),
    ):
        optimizer = make(1.0, use_ema=True, ema_momentum=0.5)
        variable.constraint = lambda value: jnp.maximum(np.asarray(value), 0.0)
        for _ in range(2):
            optimizer.apply([jnp.ones(())], [variable])
        optimizer.finalize_variable_values([variable])
        results.append(float(variable.value))
    assert results == [-1.0, -1.0]


@pytest.mark.parametrize("case", [("Adam", {"amsgrad": True}), ("Nadam", {"use_ema": True})])
def test_stateless_apply_follows_keras_and_changes_nothing(case):
    results = []
    for optimizer, weights in (ours(*case), theirs(*case)):
        optimizer.build(weights)
        grads = [jnp.asarray(grad) for grad in gradients(1)[0]]
        own = [jnp.asarray(plain(v)) for v in optimizer.variables]
        values = [jnp.asarray(plain(v)) for v in weights]
        results.append(jax.jit(optimizer.stateless_apply)(own, grads, values))
        assert int(optimizer.iterations) == 0
        assert all(np.array_equal(plain(v), value) for v, value in zip(weights, values))
    for got, wanted in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=1e-7)


# ---- weights ----------------------------------------------------------------------------------


def test_some_weights_at_a_time():
    optimizer, first, second = Adam(0.1), weight(name="a"), weight(name="b")
    optimizer.build([first, second])
    optimizer.apply([ONE], [second])
    assert float(first) == 0 and float(second) == pytest.approx(-0.1, rel=1e-4)
    assert [float(v) for v in optimizer.variables] == pytest.approx([1, 0.1, 0, 0, 0.1, 0.001])


def test_weights_without_a_gradient_are_left_alone():
    optimizer = SGD(0.5, weight_decay=0.1, use_ema=True)
    first, second = weight(1.0, name="a"), weight(1.0, name="b")
    with pytest.warns(UserWarning, match="No gradient for a"):
        optimizer.apply([None, ONE], [first, second])
    assert float(first) == 1.0 and float(second) == pytest.approx(1 - 0.05 - 0.5)
    assert float(optimizer.variables[2]) == 0 and optimizer.variables[3].name == "b_average"
    assert float(optimizer.variables[3]) == pytest.approx(0.45)


def test_weights_that_are_overwritten_by_their_gradient():
    optimizer, first, second = Adam(0.1, use_ema=True), weight(name="a"), weight(name="b")
    second.overwrite_with_gradient = True
    optimizer.apply([ONE, 7 * ONE], [first, second])
    assert float(first) == pytest.approx(-0.1, rel=1e-4) and float(second) == 7
    names = [variable.name for variable in optimizer.variables[2:]]
    assert names == ["a_average", "a_momentum", "a_velocity"]


def test_low_precision_weights_move_although_their_beta_rounds_to_one():
    variable = Variable(np.ones(3), dtype="bfloat16", name="w")
    optimizer = Adam(0.1)
    optimizer.apply([jnp.ones(3)], [variable])
    assert variable.dtype == optimizer.variables[2].dtype == "bfloat16"
    np.testing.assert_allclose(np.asarray(variable.value, "float32"), 0.9, rtol=0.01)


def test_state_can_be_read_changed_and_written_inside_a_scope():
    optimizer, variable = Adam(), weight()
    optimizer.build([variable])
    own = optimizer.variables
    scope = Scope(own, [v.value + 1 for v in own])
    with scope.active():
        state = optimizer.state()
        assert state.iterations == 1 and state.slots[0]["velocity"] == 1
        optimizer.assign_state(jax.tree.map(lambda value: value * 2, state))
    assert [float(value) for value in scope.read(own)] == pytest.approx([2, 2.002, 2, 2])
    assert int(optimizer.iterations) == 0


@register_serializable("Test")
class SignDescent(Optimizer):
    """A rule a user might write."""

    slots = ("count",)

    def __init__(self, learning_rate=0.25, **options):
        super().__init__(learning_rate, **options)

    def update(self, param, grad, slots, coefficients):
        return param - coefficients * jnp.sign(grad), {"count": slots["count"] + 1}


def test_own_rules():
    optimizer, variable = optimizers.get("Test>SignDescent"), weight(1.0)
    optimizer.apply([-3 * ONE], [variable])
    assert float(variable) == 1.25 and float(optimizer.variables[2]) == 1
    again = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(again) is SignDescent and again.get_config() == optimizer.get_config()


# ---- learning rate, count, loss scale ----------------------------------------------------------


def test_learning_rate_can_be_read_and_set():
    optimizer, variable = SGD(0.5), weight()
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 2
    optimizer.apply([ONE], [variable])
    optimizer.learning_rate.assign(0.25)
    optimizer.apply([ONE], [variable])
    assert float(variable) == -2.25
    optimizer.learning_rate = lambda step: 10.0 * step
    assert float(optimizer.learning_rate) == 20
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1


def test_iterations_count_updates_and_variables_count_gradients():
    optimizer, variable = SGD(gradient_accumulation_steps=3), weight()
    for _ in range(7):
        optimizer.apply([ONE], [variable])
    assert int(optimizer.iterations) == 2 and int(optimizer.variables[0]) == 7
    assert float(variable) == pytest.approx(-0.02)


def test_apply_gradients_takes_pairs_and_returns_the_count():
    optimizer, variable = SGD(0.5, loss_scale_factor=4.0), weight()
    assert optimizer.scale_loss(2.0) == 8.0
    assert int(optimizer.apply_gradients([(4 * ONE, variable)])) == 1
    assert float(variable) == -0.5
    assert SGD().scale_loss(2.0) == 2.0


# ---- names and bad input ------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULE_NAMES)
def test_get_takes_names_in_any_case_classes_and_configurations(name):
    cls = getattr(optimizers, name)
    config = {"class_name": name, "config": {"learning_rate": 0.5}}
    for identifier in (name, name.lower(), name.upper(), cls, config):
        assert type(optimizers.get(identifier)) is cls
    assert float(optimizers.get(config).learning_rate) == 0.5
    instance = cls()
    assert optimizers.get(instance) is instance and optimizers.get(None) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optimizers.get("adem"), "Unknown optimizer: 'adem'. Did you mean 'adam'"),
        (lambda: optimizers.get(5), "Cannot make a optimizer of 5"),
        (lambda: SGD(lr=0.1), "SGD has no argument 'lr'"),
        (lambda: Adam(beta1=0.1), "no argument 'beta1'. Did you mean 'beta_1'"),
        (lambda: SGD(clipnorm=1.0, clipvalue=2.0), "clipnorm=1.0, clipvalue=2.0, global_clip"),
        (lambda: SGD("fast"), "learning_rate must be a finite number.*'fast'"),
        (lambda: SGD(float("nan")), "learning_rate must be a finite number.*nan"),
        (lambda: setattr(SGD(), "learning_rate", None), "learning_rate must be.*None"),
        (lambda: SGD(use_ema=True, ema_momentum=1.5), r"ema_momentum must lie in \[0, 1\].*1.5"),
        (lambda: SGD(use_ema=True, ema_overwrite_frequency=1.5), "ema_overwrite_freq.*got 1.5"),
        (lambda: SGD(gradient_accumulation_steps=1), "gradient_accumulation_steps.*got 1"),
        (lambda: SGD(momentum=2.0), r"momentum must lie in \[0, 1\]; got 2.0"),
        (lambda: AdamW(weight_decay=None), "weight_decay of AdamW must be a number"),
        (lambda: Lion(beta_1=0.0), r"beta_1 must lie in \(0, 1\]; got 0.0"),
        (lambda: Ftrl(learning_rate_power=1.0), "learning_rate_power must be at most 0; got 1.0"),
        (lambda: Ftrl(l1_regularization_strength=-1.0), "l1_regularization_strength.*got -1.0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def built():
    optimizer = Adam(name="adam")
    optimizer.build([weight(name="a"), weight([1.0, 2.0], name="b")])
    return optimizer


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: Adam().apply([ONE]), "is not built"),
        (lambda: Adam().set_weights([ONE]), "is not built"),
        (lambda: Adam().stateless_apply([], [], []), "is not built"),
        (lambda: built().apply([ONE]), "got 1 gradients for 2 weights"),
        (lambda: built().apply([None, None]), "All gradients are None"),
        (lambda: built().apply([ONE, ONE]), r"gradient of 'b' has shape \(\).*shape \(2,\)"),
        (lambda: built().apply([ONE], [weight(name="c")]), "was not built for 'c'"),
        (lambda: built().set_weights([ONE]), r"set_weights got \[\(\)\]"),
        (lambda: built().stateless_apply([ONE], [], []), "optimizer_variables must hold 6"),
        (
            lambda: built().stateless_apply([ONE] * 6, [], [ONE]),
            "trainable_variables must hold 2 values.*got 1",
        ),
        (
            lambda: SGD(use_ema=True).finalize_variable_values([weight(name="c")]),
            "keeps no average of 'c'",
        ),
    ],
)
def test_bad_use(act, message):
    with pytest.raises(ValueError, match=message):
        act()


def test_an_error_in_the_last_weight_leaves_all_as_they_were():
    optimizer = built()
    before = [plain(variable).copy() for variable in optimizer.variables]
    with pytest.raises(ValueError, match="was not built"):
        optimizer.apply([ONE, ONE], [weight(name="a"), weight(name="c")])
    with pytest.raises(ValueError, match="set_weights"):
        optimizer.set_weights([*before[:-1], np.ones(5)])
    for variable, value in zip(optimizer.variables, before):
        np.testing.assert_array_equal(plain(variable), value)


def test_saved_state_of_other_weights_is_refused_with_a_warning():
    store, optimizer = {}, built()
    optimizer.save_own_variables(store)
    other = Adam()
    other.build([weight()])
    with pytest.warns(UserWarning, match="has 4 variables, but 6 were saved"):
        other.load_own_variables(store)
    assert int(other.iterations) == 0


def test_old_decay_argument_is_ignored_with_a_warning():
    with pytest.warns(UserWarning, match="ignores `decay`"):
        assert "decay" not in SGD(decay=0.1).get_config()
