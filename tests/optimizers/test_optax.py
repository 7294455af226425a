"""optax transformations as optimizers."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optimizer_cases import gradients, ours, plain

from slipstream import optimizers
from slipstream.optimizers import OptaxOptimizer

TRANSFORMATIONS = {
    "sgd": lambda: optax.sgd(0.1),
    "adam": lambda: optax.adam(0.1),
    "chain": lambda: optax.chain(
        optax.clip_by_global_norm(0.5),
        optax.adamw(optax.cosine_decay_schedule(0.1, 10), weight_decay=0.1),
    ),
    "skipping": lambda: optax.apply_if_finite(optax.rmsprop(0.1), 3),
    "noise": lambda: optax.chain(optax.add_noise(0.1, 0.5, 3), optax.sgd(0.1)),
}


def is_key(array):
    return jnp.issubdtype(array.dtype, jax.dtypes.prng_key)


def by_hand(transformation, values, steps):
    state = transformation.init(values)
    for grads in steps:
        updates, state = transformation.update([jnp.asarray(g) for g in grads], state, values)
        values = optax.apply_updates(values, updates)
    return values, jax.tree.leaves(state)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_equals_optax_by_hand(name):
    optimizer = optimizers.get(TRANSFORMATIONS[name]())
    _, weights = ours("SGD", {})
    start = [jnp.asarray(plain(weight)) for weight in weights]
    for grads in gradients(8):
        optimizer.apply(grads, weights)
    expected, leaves = by_hand(TRANSFORMATIONS[name](), start, gradients(8))
    for got, wanted in zip(weights, expected):
        np.testing.assert_allclose(plain(got), wanted, rtol=1e-6)
    assert int(optimizer.iterations) == 8
    for got, wanted in zip(optimizer.variables[1:], leaves, strict=True):
        wanted = jax.random.key_data(wanted) if is_key(wanted) else wanted
        np.testing.assert_allclose(plain(got), wanted, rtol=1e-6)


def test_compiled_equals_eager_and_keeps_types():
    optimizer = OptaxOptimizer(optax.adam(0.1))
    _, weights = ours("SGD", {})
    optimizer.build(weights)
    assert not optimizer.packable
    values, state = [jnp.asarray(plain(weight)) for weight in weights], optimizer.state()
    expected, _ = by_hand(optax.adam(0.1), values, gradients(4))
    traces = []

    @jax.jit
    def step(values, grads, state):
        traces.append(1)
        return optimizer.transition(values, grads, state, optimizer.decays(weights))

    types = jax.tree.map(lambda array: array.dtype, state)
    for grads in gradients(4):
        values, state = step(values, grads, state)
    assert jax.tree.map(lambda array: array.dtype, state) == types
    assert len(traces) == 1
    for got, wanted in zip(values, expected):
        np.testing.assert_allclose(got, wanted, rtol=2e-6)
    optimizer.assign_state(state)
    assert [v.name for v in optimizer.variables[:2]] == ["iteration", "0_count"]
    assert int(optimizer.variables[1]) == 4


def test_state_goes_through_a_file():
    steps, (_, weights) = gradients(6), ours("SGD", {})
    optimizer, store = OptaxOptimizer(optax.adam(0.1)), {}
    for grads in steps[:3]:
        optimizer.apply(grads, weights)
    optimizer.save_own_variables(store)
    values = [plain(weight).copy() for weight in weights]
    for grads in steps[3:]:
        optimizer.apply(grads, weights)
    _, resumed = ours("SGD", {})
    for weight, value in zip(resumed, values):
        weight.assign(value)
    again = OptaxOptimizer(optax.adam(0.1))
    again.build(resumed)
    again.load_own_variables(store)
    for grads in steps[3:]:
        again.apply(grads, resumed)
    for got, wanted in zip(resumed, weights):
        np.testing.assert_array_equal(plain(got), plain(wanted))


def test_learning_rate_of_injected_hyperparameters():
    optimizer = OptaxOptimizer(optax.inject_hyperparams(optax.sgd)(learning_rate=0.5))
    _, weights = ours("SGD", {})
    optimizer.build(weights)
    assert float(optimizer.learning_rate) == 0.5
    optimizer.learning_rate = 0.25
    before = float(weights[2])
    optimizer.apply([np.ones(w.shape, "float32") for w in weights])
    assert float(weights[2]) == pytest.approx(before - 0.25)


def test_what_optax_cannot_tell():
    optimizer = OptaxOptimizer(optax.sgd(0.1))
    with pytest.raises(AttributeError, match="inject_hyperparams"):
        _ = optimizer.learning_rate
    with pytest.raises(TypeError, match="no configuration"):
        optimizer.get_config()
    with pytest.raises(ValueError, match="not built"):
        optimizer.transition([], [], optimizer.state(), [])
    with pytest.raises(TypeError, match=r"init\(\) and update\(\)"):
        OptaxOptimizer("adam")
