"""What goes from step to step and from batch to batch: states, statistics, draws; full masks."""

import keras
import numpy as np
import parity
import pytest

import slipstream
from slipstream import layers
from slipstream.models import Sequential


def stateful():
    model = Sequential([layers.Input(batch_shape=(2, 3, 1)), layers.SimpleRNN(1, stateful=True)])
    model.set_weights([np.ones((1, 1), "f"), np.ones((1, 1), "f"), np.zeros(1, "f")])
    model.compile("sgd", "mse")
    return model


def states(steps):
    h = 0.0
    for value in steps:
        h = np.tanh(np.float32(value) + h)
        yield h


def test_predict_and_evaluate_carry_the_states_of_a_stateful_layer():
    model = stateful()
    layer = model.layers[0]
    x = parity.data((4, 3, 1))
    rows = [np.concatenate([x[i], x[i + 2]]).ravel() for i in range(2)]  # two batches of 2
    expected = [list(states(np.tile(row, 2)))[2::3] for row in rows]
    first, second = (model.predict(x, batch_size=2).reshape(2, 2) for _ in range(2))
    np.testing.assert_allclose(np.concatenate([first, second]).T, expected, rtol=1e-5)
    layer.reset_state()
    loss = model.evaluate(x, np.zeros(4), batch_size=2, verbose=0)
    np.testing.assert_allclose(loss, np.mean(first**2), rtol=1e-5)
    np.testing.assert_allclose(layer.states[0].numpy()[:, 0], first[1], rtol=1e-5)
    outputs = [model(x[:2]), model.predict_on_batch(x[2:]), np.asarray(model(x[:2]))]
    goes_on = [list(states(np.concatenate([rows[i], rows[i], x[i].ravel()])))[8::3] for i in (0, 1)]
    np.testing.assert_allclose(np.array(outputs)[..., 0].T, goes_on, rtol=1e-5)
    layer.reset_state()
    loss = model.test_on_batch(x[:2], np.zeros(2))
    np.testing.assert_allclose(loss, np.mean(first[0] ** 2), rtol=1e-5)
    np.testing.assert_allclose(layer.states[0].numpy()[:, 0], first[0], rtol=1e-5)


def test_validation_leaves_the_states_of_training_alone():
    x = parity.data((2, 3, 1))
    kept = []
    for validation in (None, (x, np.zeros(2))):
        model = stateful()
        model.fit(
            x, np.zeros(2), batch_size=2, validation_data=validation, shuffle=False, verbose=0
        )
        kept.append(model.layers[0].states[0].numpy())
    np.testing.assert_array_equal(*kept)


@pytest.mark.parametrize("batch_size", [5, 4])  # 4 leaves a batch to be filled up
def test_statistics_inside_time_distributed_are_keras(batch_size):
    x, y = parity.data((10, 4, 3)), parity.data((10, 4, 3), seed=1)
    weights, losses = [], []
    for library in (slipstream, keras):
        model = library.Sequential(
            [
                library.Input((4, 3)),
                library.layers.TimeDistributed(library.layers.BatchNormalization(momentum=0.5)),
            ]
        )
        model.compile(library.optimizers.SGD(0.1), "mse")
        run = model.fit(x, y, batch_size=batch_size, epochs=2, shuffle=False, verbose=0)
        losses.append(run.history["loss"])
        weights.append([np.asarray(w) for w in model.get_weights()])
        losses.append(model.predict(x, verbose=0).ravel())
    parity.close(weights[0], weights[1], 1e-4, 1e-5)
    parity.close(losses[:2], losses[2:], 1e-4, 1e-5)


class Noisy(layers.Layer):
    """A cell whose output is a draw."""

    state_size = 3

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed

    def call(self, inputs, states):
        noise = slipstream.random.normal(inputs.shape, seed=self.seed)
        return noise, [states[0]]


def generator():
    return slipstream.random.SeedGenerator(3)


@pytest.mark.parametrize("seed", [lambda: None, generator], ids=["none", "generator"])
def test_a_cell_draws_anew_at_each_step(seed):
    x = np.zeros((2, 5, 3), "f")
    layer = layers.RNN(Noisy(seed()), return_sequences=True)
    model = Sequential([layers.Input((5, 3)), layer])
    for outputs in (np.asarray(layer(x)), model.predict(x), model.predict(x)):
        assert len(np.unique(outputs)) == outputs.size
    assert (model.predict(x) != model.predict(x)).all()
    model.compile("sgd", "mse")
    assert len({model.evaluate(x, x, verbose=0) for _ in range(3)}) == 3


def test_dropout_of_our_cells_stays_one_draw_a_sequence():
    cell = layers.SimpleRNNCell(64, dropout=0.5, use_bias=False, activation="linear")
    layer = layers.RNN(layers.StackedRNNCells([cell]), return_sequences=True)
    x = np.ones((1, 4, 64), "f")
    layer(x)
    layer.set_weights([np.eye(64, dtype="f"), np.zeros((64, 64), "f")])
    outputs = np.asarray(layer(x, training=True))[0]
    assert 0 < (outputs[0] == 0).sum() < 64
    assert (outputs == outputs[0]).all()


@pytest.mark.parametrize("axis", [-1, (0, 1), 0])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_softmax_of_fully_masked_rows_is_keras(axis, dtype):
    x = parity.data((3, 4))
    for mask in (np.eye(3, 4, dtype=bool) & [[1], [0], [1]], np.zeros((3, 1), bool)):
        mask = mask.astype(bool)
        ours = layers.Softmax(axis=axis, dtype=dtype)(x, mask=mask)
        theirs = keras.layers.Softmax(axis=axis, dtype=dtype)(x, mask=mask)
        parity.close(ours, theirs, 1e-3, 1e-6)
        assert not np.asarray(ours)[~np.broadcast_to(mask, x.shape)].any()
