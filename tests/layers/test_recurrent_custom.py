"""Cells of the user's own, and cells stacked on each other."""

import jax.numpy as jnp
import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core import registry
from slipstream.models import Sequential

X = parity.data((2, 4, 3))


def minimal_cell(room, matmul):
    class Minimal(room.Layer):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = self.state_size = units

        def build(self, input_shape):
            self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
            self.inner = self.add_weight(shape=(self.units, self.units), name="inner")
            self.built = True

        def call(self, inputs, states):
            output = matmul(inputs, self.kernel) + matmul(states[0], self.inner)
            return output, [output]

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    return Minimal


Ours = minimal_cell(layers, lambda a, b: a @ b.value)
Theirs = minimal_cell(keras.layers, keras.ops.matmul)


class Counter(layers.Layer):
    """Counts steps up from 5; the output is wider than the state."""

    state_size = 1
    output_size = 3

    def call(self, inputs, states):
        new = states[0] + 1
        return jnp.repeat(new, 3, -1) * 10, new

    def get_initial_state(self, batch_size=None):
        return jnp.full((batch_size, 1), 5.0)


@pytest.mark.parametrize("flags", [{}, {"return_sequences": True, "return_state": True}])
def test_a_cell_of_the_users_own_computes_what_it_does_in_keras(flags):
    ours, theirs = layers.RNN(Ours(2), **flags), keras.layers.RNN(Theirs(2), **flags)
    ours(X), theirs(X)
    parity.share_weights(ours, theirs)
    parity.close(ours(X), theirs(X), 1e-4, 1e-5)
    assert tuple(ours.compute_output_shape(X.shape)) == tuple(theirs.compute_output_shape(X.shape))


def test_a_cell_chooses_its_output_size_and_initial_state():
    layer = layers.RNN(Counter(), return_sequences=True, return_state=True)
    mask = np.array([[True, False, True, True], [False, True, True, True]])
    outputs, state = layer(X, mask=mask)
    np.testing.assert_array_equal(outputs[0, :, 0], [60, 60, 70, 80])
    np.testing.assert_array_equal(outputs[1, :, 2], [0, 60, 70, 80])
    np.testing.assert_array_equal(state, [[8], [8]])
    assert layer.compute_output_shape((None, 4, 3)) == ((None, 4, 3), (None, 1))
    symbolic = layers.RNN(Counter(), return_state=True)(layers.Input((4, 3)))
    assert [s.shape for s in symbolic] == [(None, 3), (None, 1)]


def test_a_cell_that_loses_a_state_is_told():
    class Forgetful(Counter):
        state_size = (1, 1)

        def get_initial_state(self, batch_size=None):
            return [jnp.zeros((batch_size, 1))] * 2

    with pytest.raises(ValueError, match="got 2 states and returned 1"):
        layers.RNN(Forgetful())(X)


def test_a_subclass_with_its_own_step_is_asked_at_each_step():
    class Doubled(layers.GRUCell):
        def call(self, inputs, states, training=False):
            output, new = super().call(inputs, states, training)
            return 2 * output, new

    doubled, plain = layers.RNN(Doubled(2)), layers.GRU(2)
    doubled(X), plain(X)
    plain.set_weights(doubled.get_weights())
    np.testing.assert_allclose(doubled(X), 2 * np.asarray(plain(X)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "cell"), [("LSTM", "LSTMCell"), ("GRU", "GRUCell"), ("SimpleRNN", "SimpleRNNCell")]
)
def test_cells_step_as_their_layers_and_as_in_keras(name, cell):
    ours, theirs = getattr(layers, cell)(2), getattr(keras.layers, cell)(2)
    states = parity.data([(2, 2)] * (2 if name == "LSTM" else 1), seed=5)
    ours(X[:, 0], states), theirs(X[:, 0], states)
    parity.share_weights(ours, theirs)
    parity.close(ours(X[:, 0], states), theirs(X[:, 0], states), 1e-4, 1e-5)
    mine = registry.serialize(ours)["config"]
    assert parity.plain({**mine, "name": ""}) == parity.plain({**theirs.get_config(), "name": ""})
    assert np.shape(ours.get_initial_state(3)[0]) == (3, 2)
    layer = layers.RNN(ours, return_sequences=True)
    steps, now = [], [np.zeros((2, 2), "f")] * len(states)
    for x in np.swapaxes(X, 0, 1):
        output, now = ours(x, now)
        steps.append(output)
    np.testing.assert_allclose(layer(X), np.stack(steps, 1), rtol=1e-5, atol=1e-6)


def stack(room):
    return [room.LSTMCell(2), room.GRUCell(3, reset_after=False), room.LSTMCell(1)]


def test_stacked_cells_are_keras():
    flags = {"return_sequences": True, "return_state": True, "go_backwards": True}
    ours = layers.RNN(stack(layers), **flags)
    theirs = keras.layers.RNN(stack(keras.layers), **flags)
    ours(X), theirs(X)
    parity.share_weights(ours, theirs)
    mine, other = ours(X), theirs(X)
    assert [len(state) for state in mine[1:]] == [len(state) for state in other[1:]] == [2, 1, 2]
    parity.close(mine, other, 1e-4, 1e-5)
    parity.close(ours(X, initial_state=list(mine[1:])), theirs(X, initial_state=list(other[1:])),
                 1e-4, 1e-5)  # fmt: skip
    assert ours.state_size == theirs.state_size
    assert parity.plain({**ours.get_config(), "name": ""}).keys() == theirs.get_config().keys()
    again = registry.deserialize(registry.serialize(ours))
    again(X)
    again.set_weights(ours.get_weights())
    parity.close(again(X), mine, 1e-6, 1e-6)


def test_cells_of_the_users_own_train_and_survive_their_configuration():
    model = Sequential([layers.Input((4, 3)), layers.RNN(Ours(2)), layers.Dense(1)])
    model.compile("adam", "mse")
    before = model.layers[0].get_weights()
    model.fit(X, np.ones((2, 1)), epochs=1, verbose=0)
    after = model.layers[0].get_weights()
    assert all(np.any(a != b) for a, b in zip(after, before))
    config = registry.serialize(model.layers[0])
    again = registry.deserialize(config, custom_objects={"Minimal": Ours})
    again(X)
    again.set_weights(after)
    np.testing.assert_array_equal(again(X), model.layers[0](X))
