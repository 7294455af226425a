"""`SAM` beside its definition in NumPy and JAX, in and out of `fit`."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from slipstream import layers, losses, optimizers, utils
from slipstream.models import Model, Sequential, load_model
from slipstream.optimizers import SAM


@pytest.fixture
def rows(rng):
    return rng.normal(size=(12, 3)).astype("f"), rng.normal(size=(12, 2)).astype("f")


def network(*between, **last):
    return Sequential(
        [layers.Input((3,)), layers.Dense(4, activation="tanh"), *between, layers.Dense(2, **last)]
    )


def trained(model, optimizer, rows, epochs=3, **fit):
    model.compile(optimizer, "mse")
    model.fit(*rows, batch_size=4, epochs=epochs, shuffle=False, verbose=0, **fit)
    return model.get_weights()


@pytest.mark.parametrize("adaptive", [False, True])
def test_a_linear_model_follows_the_paper_in_float64(rows, adaptive):
    x, y = (part.astype("d") for part in rows)
    model = Sequential([layers.Input((3,)), layers.Dense(2, bias_initializer="ones")])
    w, b = (value.astype("d") for value in model.get_weights())

    def gradient(w, b):
        error = 2 * (x @ w + b - y) / y.size
        return x.T @ error, error.sum(0)

    for _ in range(7):
        gw, gb = gradient(w, b)
        tw, tb = (np.abs(w), np.abs(b)) if adaptive else (1, 1)
        norm = np.sqrt(((tw * gw) ** 2).sum() + ((tb * gb) ** 2).sum())
        gw, gb = gradient(w + 0.3 * tw**2 * gw / norm, b + 0.3 * tb**2 * gb / norm)
        w, b = w - 0.1 * gw, b - 0.1 * gb
    model.compile(SAM(optimizers.SGD(0.1), rho=0.3, adaptive=adaptive), "mse")
    model.fit(*rows, batch_size=12, epochs=7, verbose=0)
    for found, wanted in zip(model.get_weights(), (w, b)):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


INNER = {
    "adam": lambda: optimizers.Adam(0.05),
    "accumulating, decayed": lambda: optimizers.SGD(
        0.1, weight_decay=0.1, gradient_accumulation_steps=2
    ),
    "averaged": lambda: optimizers.Adam(0.05, use_ema=True, ema_momentum=0.7),
    "several": lambda: optimizers.MultiOptimizer(
        optimizers.OptimizerMap(optimizers.Adam(0.05), {".*bias": optimizers.SGD(0.1)})
    ),
    "optax": lambda: optax.adam(0.05),
}


@pytest.mark.parametrize("make", INNER.values(), ids=INNER)
@pytest.mark.parametrize("apart", [False, True], ids=["packed", "apart"])
def test_the_inner_optimizer_gets_the_gradients_of_the_moved_weights(rows, make, apart):
    model = network(bias_constraint="non_neg" if apart else None)
    start = model.get_weights()
    found = trained(model, SAM(make(), rho=0.2), rows)
    weights = model.trainable_variables
    model.set_weights(start)
    inner = optimizers.get(make())
    inner.build(weights)

    @jax.jit
    def gradients_at(values, x, y):
        def loss(values):
            outputs, _ = model.stateless_call(values, [], x, training=True)
            return jnp.mean((outputs - y) ** 2)

        first = jax.grad(loss)(values)
        norm = jnp.sqrt(sum(jnp.sum(g**2) for g in first))
        return jax.grad(loss)([v + 0.2 * g / norm for v, g in zip(values, first)])

    for _ in range(3):
        for begin in range(0, 12, 4):
            batch = (part[begin : begin + 4] for part in rows)
            inner.apply(gradients_at([v.value for v in weights], *batch), weights)
    inner.finalize_variable_values(weights)
    for mine, wanted in zip(found, model.get_weights()):
        np.testing.assert_allclose(mine, wanted, rtol=2e-4, atol=2e-5)


def test_both_gradients_drop_the_same_units_and_statistics_are_those_of_the_first(rows):
    start, found = None, []
    for optimizer in (optimizers.SGD(0.1), SAM(optimizers.SGD(0.1), rho=1e-9)):
        model = network(layers.BatchNormalization(), layers.Dropout(0.5))
        start = start or model.get_weights()
        model.set_weights(start)
        utils.set_random_seed(5)  # the next session's draws
        found.append(trained(model, optimizer, rows))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_saved_model_goes_on_as_it_would_have(rows, tmp_path):
    whole, cut = network(), network()
    cut.set_weights(whole.get_weights())
    wanted = trained(whole, SAM(optimizers.Adam(0.05), 0.2, True, name="flat"), rows, epochs=4)
    trained(cut, SAM(optimizers.Adam(0.05), 0.2, True, name="flat"), rows, epochs=2)
    cut.save(tmp_path / "cut.keras")
    model = load_model(tmp_path / "cut.keras")
    optimizer = model.optimizer
    assert (optimizer.rho, optimizer.adaptive, optimizer.name) == (0.2, True, "flat")
    assert int(optimizer.iterations) == 6
    model.fit(*rows, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(model.get_weights(), wanted):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_what_belongs_to_the_inner_optimizer_is_read_and_set_through(rows):
    model = network()
    trained(model, SAM("adam"), rows, epochs=1)
    optimizer = model.optimizer
    assert isinstance(optimizer.inner_optimizer, optimizers.Adam) and optimizer.built
    optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(*rows, epochs=1, verbose=0)
    for a, b in zip(model.get_weights(), before):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(AttributeError):
        _ = optimizer.no_such_thing


def test_a_scaled_loss_changes_nothing(rows):
    start = network().get_weights()
    found = []
    for make in (
        lambda: SAM(optimizers.SGD(0.1), 0.2),
        lambda: SAM(optimizers.SGD(0.1, loss_scale_factor=2.0**70), 0.2),
        lambda: optimizers.LossScaleOptimizer(SAM(optimizers.SGD(0.1), 0.2)),
    ):
        model = network()
        model.set_weights(start)
        found.append(trained(model, make(), rows))
    for other in found[1:]:
        for a, b in zip(found[0], other):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradients_that_vanish_move_nothing():
    moves = SAM("sgd").moves([jnp.ones(3), jnp.ones((0, 2))], [jnp.zeros(3), jnp.ones((0, 2))])
    np.testing.assert_array_equal(moves[0], np.zeros(3))


def test_train_steps_of_the_users_own(rows):
    class Passing(Model):
        def train_step(self, state, data):
            return super().train_step(state, data)

    class Own(Model):
        def train_step(self, state, data):
            trainable, non_trainable, own, metrics = state

            def loss(values):
                outputs, _ = self.stateless_call(values, non_trainable, data[0], training=True)
                return jnp.mean((outputs - data[1]) ** 2)

            grads = jax.grad(loss)(trainable)
            trainable, own = self.optimizer.stateless_apply(own, grads, trainable)
            return {}, (trainable, non_trainable, own, metrics)

    plain = network()
    start = plain.get_weights()
    wanted = trained(plain, SAM("sgd", 0.2), rows)
    passing = Passing(plain.input, plain.output)
    passing.set_weights(start)
    for a, b in zip(trained(passing, SAM("sgd", 0.2), rows), wanted):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="optimizer.differentiate"):
        trained(Own(plain.input, plain.output), SAM("sgd"), rows)


def test_wrong_arguments():
    for bad in (0, -1.0, float("nan"), float("inf"), True):
        with pytest.raises(ValueError, match="rho"):
            SAM("sgd", rho=bad)
    for bad in (SAM("sgd"), losses.MeanSquaredError(), None, "nothing"):
        with pytest.raises(ValueError):
            SAM(bad)
    with pytest.raises(ValueError, match="SAM\\(MultiOptimizer"):
        optimizers.MultiOptimizer(optimizers.OptimizerMap(SAM("sgd")))
