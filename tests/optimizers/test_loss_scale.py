"""`LossScaleOptimizer` beside Keras': finite steps, steps left out, growth of the scale."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from optimizer_cases import gradients, ours, pack, pack_state, plain, theirs

from slipstream import optimizers
from slipstream.core.variable import Variable
from slipstream.optimizers import SGD, Adam, LossScaleOptimizer, Muon

INNER = [
    ("SGD", {"learning_rate": 0.1, "momentum": 0.9}),
    ("AdamW", {"learning_rate": 0.05, "weight_decay": 0.1, "use_ema": True}),
    ("Adam", {"learning_rate": 0.05, "gradient_accumulation_steps": 2, "clipnorm": 0.5}),
]
NADAM = ("Nadam", {"learning_rate": 0.05, "weight_decay": 0.1, "use_ema": True})
BAD_STEPS = {4: np.inf, 9: np.nan}


def scaled_gradients(steps=14):
    """Gradients as large as a loss scale makes them, some of them not finite."""
    for step, grads in enumerate(gradients(steps)):
        grads = [jnp.asarray(grad) * 1000 for grad in grads]
        if step in BAD_STEPS:
            grads[1] = grads[1].at[2].set(BAD_STEPS[step])
        yield grads


@pytest.mark.parametrize("case", INNER, ids=str)
def test_follows_keras(case):
    results, found = [], []
    for pair, cls in ((ours, LossScaleOptimizer), (theirs, keras.optimizers.LossScaleOptimizer)):
        inner, weights = pair(*case)
        optimizer = cls(inner, initial_scale=1024.0, dynamic_growth_steps=3)
        optimizer.build(weights)
        assert float(optimizer.scale_loss(2.0)) == 2048
        step = jax.jit(optimizer.stateless_apply)
        values = [jnp.asarray(plain(weight)) for weight in weights]
        own = [jnp.asarray(plain(variable)) for variable in optimizer.variables]
        for grads in scaled_gradients():
            values, own = step(own, grads, values)
        found.append([(v.name, v.shape, str(v.dtype)) for v in optimizer.variables])
        results.append([*values, *own])
    assert found[0] == found[1]
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


def test_eager_steps_equal_compiled_ones_packed_or_not():
    results = []
    for way in ("eager", "compiled", "packed"):
        inner, weights = ours(*NADAM)
        optimizer = LossScaleOptimizer(inner, 1024.0, 3)
        if way == "eager":
            for grads in scaled_gradients():
                optimizer.apply(grads, weights)
            values, state = [plain(weight) for weight in weights], optimizer.state()
        else:
            optimizer.build(weights)
            values, state = [jnp.asarray(plain(weight)) for weight in weights], optimizer.state()
            assert optimizer.packable
            turn = pack if way == "packed" else list
            values, state = turn(values), pack_state(state) if way == "packed" else state
            decays = [True] * len(values)
            step = jax.jit(lambda v, g, s, o=optimizer, d=decays: o.transition(v, g, s, d))
            for grads in scaled_gradients():
                values, state = step(values, turn(grads), state)
        assert int(state.iterations) == 12
        results.append((pack(values)[0], state.shared))
    for other in results[1:]:
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), results[0], other
        )


def test_state_of_no_single_weight_advances():
    # Keras leaves the product of Nadam's momenta where it was under a loss scale.
    results = []
    for scaled in (False, True):
        optimizer, weights = ours(*NADAM)
        optimizer = LossScaleOptimizer(optimizer, 8.0) if scaled else optimizer
        for grads in gradients(3):
            grads = [grad * (8.0 if scaled else 1.0) for grad in grads]
            optimizer.apply(grads, weights)
        results.append([plain(weight) for weight in weights])
    for got, wanted in zip(*results):
        np.testing.assert_array_equal(got, wanted)


def test_a_step_with_a_gradient_that_is_not_finite_changes_the_scale_alone():
    inner = Adam(0.1, use_ema=True)
    optimizer, weight = LossScaleOptimizer(inner, 8.0), Variable(np.ones(2, "float32"), name="w")
    optimizer.apply([jnp.ones(2)], [weight])
    before = [plain(v).copy() for v in [weight, *inner.variables]]
    optimizer.apply([jnp.array([1.0, np.inf])], [weight])
    for variable, value in zip([weight, *inner.variables], before):
        np.testing.assert_array_equal(plain(variable), value)
    assert float(optimizer.scale_loss(1.0)) == float(optimizer.loss_scale(optimizer.state())) == 4
    assert int(optimizer.iterations) == 1


def test_the_inner_optimizer_decides():
    inner = SGD(0.5, weight_decay=0.5, use_ema=True, ema_momentum=0.5)
    optimizer, weight = LossScaleOptimizer(inner, 4.0), Variable(np.float32(1.0), name="w")
    optimizer.exclude_from_weight_decay(var_names=["w"])
    optimizer.learning_rate = 0.25
    assert float(inner.learning_rate) == float(optimizer.learning_rate) == 0.25
    for _ in range(2):
        optimizer.apply([jnp.asarray(4.0)], [weight])
    assert float(weight) == 0.5
    optimizer.finalize_variable_values([weight])
    assert float(weight) == 0.625
    assert not LossScaleOptimizer(Muon()).packable


def test_configuration_and_arguments_are_keras_ones():
    own = LossScaleOptimizer(SGD(0.5), dynamic_growth_steps=7)
    reference = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.5, name=own.inner_optimizer.name),
        dynamic_growth_steps=7,
        name=own.name,
    )
    config = optimizers.serialize(own)
    assert config == keras.optimizers.serialize(reference)
    assert optimizers.serialize(optimizers.deserialize(config)) == config
    parameters = inspect.signature(keras.optimizers.LossScaleOptimizer).parameters
    assert list(inspect.signature(LossScaleOptimizer).parameters) == list(parameters)[:-1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LossScaleOptimizer("adam"), "inner_optimizer must be an optimizer; got 'adam'"),
        (lambda: LossScaleOptimizer(SGD(loss_scale_factor=2.0)), "a loss scale of its own"),
        (lambda: LossScaleOptimizer(LossScaleOptimizer(SGD())), "a loss scale of its own"),
        (lambda: LossScaleOptimizer(SGD(), dynamic_growth_steps=0), "at least 1; got 0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()
