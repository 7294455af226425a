"""Training changed by a subclass: the same lines as in Keras on JAX give the same numbers."""

import jax
import keras
import numpy as np
import pytest

import slipstream
from slipstream import layers

X = np.random.default_rng(0).normal(size=(50, 3)).astype("f")
Y = (X[:, :1] * 2 - X[:, 1:2]).astype("f")


def net(k, cls, penalty="l2"):
    x = k.Input((3,))
    hidden = k.layers.Dense(4, activation="tanh", kernel_regularizer=penalty)(x)
    return cls(x, k.layers.Dense(1)(hidden))


def whole_step(k):
    class Custom(k.Model):
        def loss_and_updates(self, trainable, others, x, y, training=False):
            outputs, others = self.stateless_call(trainable, others, x, training=training)
            return self.compute_loss(x, y, outputs), (outputs, others)

        def train_step(self, state, data):
            trainable, others, optimizer, metrics = state
            x, y = data
            gradient = jax.value_and_grad(self.loss_and_updates, has_aux=True)
            (loss, (outputs, others)), grads = gradient(trainable, others, x, y, training=True)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, grads, trainable)
            logs, new = {}, []
            for metric in self.metrics:
                mine = metrics[len(new) : len(new) + len(metric.variables)]
                if metric.name == "loss":
                    mine = metric.stateless_update_state(mine, loss)
                else:
                    mine = metric.stateless_update_state(mine, y, outputs)
                logs[metric.name] = metric.stateless_result(mine)
                new += mine
            return logs, (trainable, others, optimizer, new)

        def test_step(self, state, data):
            trainable, others, metrics = state
            x, y = data
            outputs, others = self.stateless_call(trainable, others, x, training=False)
            loss = self.compute_loss(x, y, outputs)
            logs, new = {}, []
            for metric in self.metrics:
                mine = metrics[len(new) : len(new) + len(metric.variables)]
                if metric.name == "loss":
                    mine = metric.stateless_update_state(mine, loss)
                else:
                    mine = metric.stateless_update_state(mine, y, outputs)
                logs[metric.name] = metric.stateless_result(mine)
                new += mine
            return logs, (trainable, others, new)

        def predict_step(self, state, data):
            trainable, others = state
            outputs, others = self.stateless_call(trainable, others, data, training=False)
            return 2 * outputs, others

    model = net(k, Custom, penalty=None)  # with one, Keras cannot run such a step
    model.compile(k.optimizers.Adam(0.01), "mse", metrics=[k.metrics.MeanAbsoluteError(name="mae")])
    return model


def own_loss(k):
    class Custom(k.Model):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.extra = k.metrics.Mean(name="extra")

        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            error = k.ops.mean(k.ops.abs(y - y_pred) ** 1.5)
            self.extra.update_state(error)
            return error + 0.1 * k.ops.sum(self.trainable_variables[0] ** 2)

        def reset_metrics(self):
            super().reset_metrics()
            self.extra.reset_state()

        @property
        def metrics(self):
            return [*super().metrics, self.extra] if k is keras else super().metrics

    model = net(k, Custom)
    model.compile(k.optimizers.SGD(0.05))
    return model


def own_metrics(k):
    class Custom(k.Model):
        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            logs = super().compute_metrics(x, y, y_pred, sample_weight)
            logs["doubled"] = 2 * logs["mae"]
            return logs

    model = net(k, Custom)
    model.compile(k.optimizers.SGD(0.05), "mse", metrics=[k.metrics.MeanAbsoluteError(name="mae")])
    return model


def added_loss(k):
    class Penalty(k.layers.Layer):
        def call(self, x):
            self.add_loss(0.3 * k.ops.mean(x**2))
            return x

    x = k.Input((3,))
    model = k.Model(x, Penalty()(k.layers.Dense(1, kernel_regularizer="l2")(x)))
    model.compile(k.optimizers.SGD(0.05))
    return model


@pytest.mark.parametrize("build", [whole_step, own_loss, own_metrics, added_loss])
@pytest.mark.parametrize("batch_size", [10, 16])
def test_training_matches_keras(build, batch_size):
    def run(k):
        model = build(k)
        numbers = np.random.default_rng(1)
        model.set_weights([numbers.normal(size=tuple(w.shape)).astype("f") for w in model.weights])
        fitted = model.fit(
            X, Y, validation_data=(X[:20], Y[:20]), epochs=3, batch_size=batch_size,
            shuffle=False, verbose=0,
        )  # fmt: skip
        test = model.evaluate(X, Y, batch_size=batch_size, verbose=0, return_dict=True)
        return fitted.history, test, model.predict(X, verbose=0), model.get_weights()

    history, test, outputs, weights = run(slipstream)
    expected_history, expected_test, expected_outputs, expected_weights = run(keras)
    assert set(history) == set(expected_history)
    for name, values in history.items():
        np.testing.assert_allclose(values, expected_history[name], rtol=2e-4, err_msg=name)
    assert set(test) == set(expected_test)
    np.testing.assert_allclose(outputs, expected_outputs, rtol=1e-3, atol=1e-4)
    for mine, other in zip(weights, expected_weights):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-4)


def test_the_default_steps_can_be_called_from_ones_own():
    calls = []

    class Custom(slipstream.Model):
        def train_step(self, state, data):
            calls.append("train")
            logs, state = super().train_step(state, data)
            return {**logs, "twice": 2 * logs["loss"]}, state

        def test_step(self, state, data):
            return super().test_step(state, data)

    plain, custom = net(slipstream, slipstream.Model), net(slipstream, Custom)
    custom.set_weights(plain.get_weights())
    for model in (plain, custom):
        model.compile(slipstream.optimizers.Adam(0.01), "mse", metrics=["mae"])
    mine = custom.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    expected = plain.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    assert calls
    np.testing.assert_allclose(mine["loss"], expected["loss"], rtol=1e-5)
    np.testing.assert_allclose(mine["mae"], expected["mae"], rtol=1e-5)
    np.testing.assert_allclose(mine["twice"], 2 * np.asarray(mine["loss"]), rtol=1e-6)
    np.testing.assert_allclose(
        custom.evaluate(X, Y, verbose=0), plain.evaluate(X, Y, verbose=0), rtol=1e-5
    )


def test_a_step_draws_anew_and_repeats_with_its_seed():
    class Custom(slipstream.Model):
        def train_step(self, state, data):
            return super().train_step(state, data)

    def run():
        slipstream.utils.set_random_seed(4)
        x = layers.Input((3,))
        model = Custom(x, layers.Dense(1)(layers.Dropout(0.5)(x)))
        model.compile("sgd", "mse")
        return model.fit(X, Y, epochs=3, verbose=0).history["loss"]

    first, second = run(), run()
    assert first == second
    assert len(set(first)) == 3


def test_a_step_in_tensorflows_form_is_explained():
    class Custom(slipstream.Model):
        def train_step(self, data):
            return {}

    model = net(slipstream, Custom)
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"train_step\(self, state, data\)"):
        model.fit(X, Y, verbose=0)


def test_nothing_to_minimize_is_an_error():
    x = layers.Input((3,))
    model = slipstream.Model(x, layers.Dense(1)(x))
    model.compile("sgd")
    with pytest.raises(ValueError, match=r"compile\(loss=…\)"):
        model.fit(X, Y, verbose=0)


def test_stateless_call_gives_losses_and_leaves_the_layer_alone():
    layer = layers.Dense(2, kernel_regularizer="l2")
    layer(X)
    values = [np.ones(v.shape, "f") for v in layer.trainable_variables]
    before = layer.get_weights()
    outputs, others, losses = layer.stateless_call(values, [], X, return_losses=True)
    np.testing.assert_allclose(outputs, X @ values[0] + 1, rtol=1e-5)
    np.testing.assert_allclose(losses, [0.06], rtol=1e-6)
    assert others == []
    for a, b in zip(before, layer.get_weights()):
        np.testing.assert_array_equal(a, b)
