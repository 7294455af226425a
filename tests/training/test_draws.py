"""Layers that draw while predicting: anew in each batch and call, and again with the seed."""

import numpy as np
import pytest

import slipstream
from slipstream import layers, utils
from slipstream.models import Model, Sequential

X = np.zeros((64, 3), "f")


class Sampling(layers.Layer):
    """Normal draws around the input, as between the halves of a variational autoencoder."""

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = slipstream.random.SeedGenerator(5) if seed == "generator" else seed

    def call(self, inputs):
        return inputs + slipstream.random.normal(inputs.shape, 2.0, 3.0, seed=self.seed_generator)


def sampler(seed):
    return Sequential([layers.Input((3,)), Sampling(seed)])


def dropper():
    inputs = layers.Input((3,))
    return Model(inputs, layers.Dropout(0.5)(inputs + 1, training=True))


MODELS = {
    "generator": lambda: sampler("generator"),
    "no seed": lambda: sampler(None),
    "dropout": dropper,
    "own step": lambda: Stepper(),
}


class Stepper(Model):
    def __init__(self):
        super().__init__()
        self.sampling = Sampling("generator")

    def call(self, inputs):
        return self.sampling(inputs)

    def predict_step(self, state, data):
        outputs, others = self.stateless_call(*state, data, training=False)
        return outputs, others


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]()


def test_each_batch_and_each_call_draws_anew(model):
    def each(batches):
        flat = [np.asarray(batch).tobytes() for batch in batches]
        assert len(set(flat)) == len(flat)

    each(np.split(model.predict(X, batch_size=16), 4))
    each(np.split(model.predict(X[:16] for _ in range(4)), 4))
    each([model.predict(X), model.predict(X), model.predict_on_batch(X), model(X), model(X)])
    each([model.predict(X[:2]), model.predict(X[:2])])


def test_the_seed_gives_the_same_draws_again(model):
    def all_ways():
        utils.set_random_seed(3)
        return model.predict(X, batch_size=16), model.predict_on_batch(X), np.asarray(model(X))

    first, again = all_ways(), all_ways()
    for a, b in zip(first, again):
        np.testing.assert_array_equal(a, b)
    utils.set_random_seed(4)
    assert (model.predict(X, batch_size=16) != first[0]).any()


@pytest.mark.parametrize("seed", [None, "generator"])
def test_mean_and_spread(seed):
    x = np.zeros((20_000, 3), "f")
    outputs = sampler(seed).predict(x, batch_size=5000)
    error = 3 / np.sqrt(outputs.size)
    assert abs(outputs.mean() - 2) < 4 * error
    assert abs(outputs.std() - 3) < 4 * error
    assert abs(np.corrcoef(outputs.T)[0, 1]) < 4 / np.sqrt(len(x))
    first, second = outputs[:5000].ravel(), outputs[5000:10_000].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 4 / np.sqrt(first.size)


def test_evaluate_draws_anew_in_each_batch_and_call():
    model = sampler("generator")
    model.compile("sgd", "mse")
    utils.set_random_seed(0)
    losses = [model.evaluate(X, X, batch_size=8, verbose=0) for _ in range(3)]
    assert len(set(losses)) == 3
    assert model.test_on_batch(X, X) != model.test_on_batch(X, X)
    utils.set_random_seed(0)
    assert model.evaluate(X, X, batch_size=8, verbose=0) == losses[0]


def test_batches_of_one_evaluation_differ():
    class Gap(slipstream.metrics.Metric):
        """Sum of the gaps between the first outputs of batches that follow each other."""

        def __init__(self):
            super().__init__(name="gap")
            self.last = self.add_variable((), "zeros")
            self.gap = self.add_variable((), "zeros")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.gap.assign_add(abs(y_pred[0, 0] - self.last))
            self.last.assign(y_pred[0, 0])

        def result(self):
            return self.gap

    model = sampler(None)
    model.compile("sgd", "mse", metrics=[Gap()])
    utils.set_random_seed(1)
    one = model.evaluate(X[:8], X[:8], batch_size=8, verbose=0, return_dict=True)["gap"]
    utils.set_random_seed(1)
    many = model.evaluate(X, X, batch_size=8, verbose=0, return_dict=True)["gap"]
    assert many > one + 1e-3


def test_validation_draws_follow_from_the_run():
    def run():
        utils.set_random_seed(2)
        model = sampler("generator")
        model.compile("sgd", "mse")
        return model.fit(X, X, validation_data=(X, X), epochs=3, verbose=0).history["val_loss"]

    first = run()
    assert len(set(first)) == 3
    assert run() == first


def test_a_model_that_draws_nothing_is_given_no_seed(monkeypatch):
    model = Sequential([layers.Input((3,)), layers.Dense(2), layers.Dropout(0.5)])
    model.compile("sgd", "mse")

    def refuse(*_):
        raise AssertionError("a seed was drawn")

    model.evaluate(X, X[:, :2], verbose=0)
    monkeypatch.setattr("slipstream.training.predictor.seed_of", refuse)
    model.predict(X)
    model(X)
    model.predict_on_batch(X)
    session = model._session
    arguments = session.predict.program.trace(session.frozen(), X, None).jaxpr.in_avals
    assert [a.shape for a in arguments] == [(8,), (64, 3)]
    state = session.test_state(session.zeros())
    assert session.test._seedless(state).seed is None


def test_two_passes_of_one_step_draw_apart():
    class Twice(Model):
        def __init__(self):
            super().__init__()
            self.inner = Sampling()

        def call(self, inputs):
            return self.inner(inputs)

        def predict_step(self, state, data):
            first, others = self.stateless_call(*state, data, training=False)
            second, _ = self.stateless_call(*state, data, training=False)
            return first - second, others

    assert (np.abs(Twice().predict(X)) > 1e-3).all()
