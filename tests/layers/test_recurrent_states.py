"""States given, kept and returned; dropout; bad input."""

import jax
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.models import Model, Sequential
from slipstream.utils import set_random_seed

X = parity.data((2, 4, 3))


@pytest.mark.parametrize(("name", "states"), [("LSTM", 2), ("GRU", 1), ("SimpleRNN", 1)])
def test_initial_states_are_used_as_in_keras(name, states):
    start = parity.data([(2, 5)] * states, seed=7)
    ours, theirs = parity.pair(name, {"units": 5, "return_state": True}, X)
    expected = theirs(X, initial_state=start)
    parity.close(ours(X, initial_state=start), expected, 1e-4, 1e-5)
    parity.close(ours(X, start), expected, 1e-4, 1e-5)
    parity.close(ours([X, *start]), expected, 1e-4, 1e-5)


def test_states_may_be_symbolic():
    source, start = layers.Input((4, 3)), layers.Input((5,))
    encoder, decoder = layers.GRU(5, return_state=True), layers.LSTM(5, return_sequences=True)
    _, state = encoder(source)
    ours = Model([source, start], decoder(source, initial_state=[state, start]))
    assert ours.output_shape == (None, 4, 5)
    h = parity.data((2, 5))
    expected = decoder(X, initial_state=[encoder(X)[1], h])
    np.testing.assert_allclose(ours.predict([X, h], verbose=0), expected, rtol=1e-5, atol=1e-6)
    listed = Model([source, start], layers.GRU(5)([source, start]))
    assert listed.predict([X, h], verbose=0).shape == (2, 5)


def test_a_stateful_layer_goes_on_where_it_stopped():
    whole = layers.LSTM(3, return_state=True)
    ours = layers.LSTM(3, stateful=True, return_state=True)
    expected = whole(X)
    ours(X)
    ours.cell.set_weights(whole.get_weights())
    for _ in range(2):
        ours.reset_state()
        ours(X[:, :1])
        parity.close(ours(X[:, 1:]), expected, 1e-5, 1e-6)
    assert not ours.per_example and whole.per_example
    assert all(not v.trainable for v in ours.states)
    ours.reset_states()
    assert not any(np.any(v.numpy()) for v in ours.states)
    with pytest.raises(ValueError, match=r"\(1, 3\).*\(1, 4, 3\).*\(2, 3\).*Keep the batch size"):
        ours(X[:1])


def test_fit_carries_the_states_of_a_stateful_layer_from_batch_to_batch():
    model = Sequential([layers.Input(batch_shape=(1, 2, 1)), layers.SimpleRNN(1, stateful=True)])
    layer = model.layers[0]
    layer.cell.set_weights([np.ones((1, 1), "f"), np.ones((1, 1), "f"), np.zeros(1, "f")])
    model.compile("sgd", "mse")
    model.optimizer.learning_rate = 0.0
    x = parity.data((3, 2, 1))
    model.fit(x, np.zeros((3, 1)), batch_size=1, epochs=1, shuffle=False, verbose=0)
    h = 0.0
    for value in x.ravel():
        h = np.tanh(value + h)
    np.testing.assert_allclose(layer.states[0].numpy(), [[h]], rtol=1e-4)


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_draws_once_a_sequence(name):
    units = {"units": 64, "use_bias": False, "return_sequences": True}
    x = np.ones((1, 3, 64), "f")
    layer = getattr(layers, name)(dropout=0.5, activation="linear", **units)
    layer(x)
    kernel, recurrent = layer.get_weights()
    # The last gate block is the cell's input (GRU), the output itself (RNN) or the output gate.
    eye = np.tile(np.eye(64, dtype="f"), (1, kernel.shape[1] // 64))
    layer.set_weights([eye, np.zeros_like(recurrent)])
    np.testing.assert_allclose(layer(x)[0, 0], layer(x)[0, 0, 0] * np.ones(64), rtol=1e-6)
    dropped = np.asarray(layer(x, training=True))[0] == 0
    assert 10 < dropped[0].sum() < 54
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:1], 3, 0))


def test_a_cell_within_others_draws_once_a_sequence_too():
    cell = layers.SimpleRNNCell(64, activation="linear", use_bias=False, dropout=0.5)
    layer = layers.RNN([cell], return_sequences=True)
    x = np.ones((1, 3, 64), "f")
    layer(x)
    layer.set_weights([np.eye(64, dtype="f"), np.zeros((64, 64), "f")])
    dropped = np.asarray(layer(x, training=True))[0] == 0
    assert 10 < dropped[0].sum() < 54
    np.testing.assert_array_equal(dropped, np.repeat(dropped[:1], 3, 0))


@pytest.mark.parametrize(("name", "reset_after"), [("LSTM", 0), ("GRU", 0), ("GRU", 1)])
def test_recurrent_dropout_of_everything_cuts_the_products_alone(name, reset_after):
    more = {"reset_after": bool(reset_after)} if name == "GRU" else {}
    ours, theirs = parity.pair(name, {"units": 2, "recurrent_dropout": 0.9999, **more}, X)
    start = parity.data([(2, 2)] * (2 if name == "LSTM" else 1))
    mine, other = (layer(X, initial_state=start, training=True) for layer in (ours, theirs))
    parity.close(mine, other, 1e-4, 1e-5)
    assert np.abs(np.asarray(mine) - ours(X, initial_state=start)).max() > 1e-3


def test_a_seed_repeats_the_draws_of_a_run():
    def trained(seed):
        model = Sequential([layers.Input((4, 3)), layers.GRU(4, dropout=0.5, seed=seed)])
        model.layers[0].set_weights([np.ones(w.shape, "f") for w in model.weights])
        return model

    def draws(seed):
        with Scope(training=True, key=key_from(0)).active():
            return np.asarray(trained(seed).layers[0](X))

    np.testing.assert_array_equal(draws(1), draws(1))
    assert np.any(draws(1) != draws(2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.LSTM(0), "units must be a whole number of at least 1; got 0"),
        (lambda: layers.GRUCell(2.5), "got 2.5"),
        (lambda: layers.ConvLSTM2D(0, 3), "filters must be a whole number"),
        (lambda: layers.ConvLSTM2D(2, 3, padding="causal"), "'valid' or 'same'; got 'causal'"),
        (lambda: layers.ConvLSTM1D(2, 3, strides=2, dilation_rate=2), "cannot both exceed 1"),
        (lambda: layers.ConvLSTM1D(2, 3)(np.ones((1, 2, 2, 1), "f")), "smaller than the window"),
        (lambda: layers.RNN(3), "needs a method call"),
        (lambda: layers.RNN(layers.Dense(3)), "attribute state_size"),
        (lambda: layers.StackedRNNCells([]), "at least one cell"),
        (lambda: layers.LSTM(2)(X[0]), r"3 axes; got shape \(4, 3\)"),
        (lambda: layers.LSTM(2)(X[:, :0]), r"without a step, shape \(2, 0, 3\)"),
        (lambda: layers.LSTM(2)(layers.Input((4, None))), "size of its input's last axis"),
        (lambda: layers.LSTM(2)(X, initial_state=[X[:, 0, :2]]), r"\(2, 2\), \(2, 2\)\].*got"),
        (lambda: layers.GRU(2)(X, initial_state=X[:1, 0, :2]), r"got \[\(1, 2\)\]"),
        (lambda: layers.GRU(2, stateful=True)(layers.Input((4, 3))), "must know the batch size"),
        (lambda: layers.LSTM(2, activation="tahn"), "Did you mean 'tanh'"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def value_with(layer, variable, value):
    with Scope([variable], [value]).active():
        return (layer(X) ** 2).sum()


def test_an_activation_with_weights_of_its_own_is_read_at_each_call():
    set_random_seed(1)  # weights that make some sums negative
    slope = layers.PReLU(alpha_initializer="ones", shared_axes=[1])
    layer = layers.SimpleRNN(2, activation=slope)
    first = np.asarray(layer(X))
    assert first.min() < 0
    linear = layers.SimpleRNN(2, activation="linear")
    linear(X)
    linear.set_weights(layer.cell.get_weights()[:3])
    np.testing.assert_allclose(first, linear(X), rtol=1e-5, atol=1e-6)
    gradient = jax.grad(lambda a: value_with(layer, slope.alpha, a))(slope.alpha.value)
    assert np.any(np.asarray(gradient) != 0)
    slope.alpha.assign(np.zeros(slope.alpha.shape, "f"))
    assert np.asarray(layer(X)).min() == 0
