"""Stacked cells that take whole sequences one after the other, as they do step by step."""

import jax
import jax.numpy as jnp
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core.random import key_from
from slipstream.core.scope import Scope
from slipstream.layers.stacked_rnn_cells import StackedRNNCells

X = parity.data((3, 5, 4))
# Rows that begin, end and are interrupted by masked steps, and one of nothing else.
MASK = np.array([[0, 1, 1, 0, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)
FLAGS = [
    {"return_state": True},
    {"return_sequences": True, "return_state": True, "zero_output_for_mask": True},
    {"return_sequences": True, "return_state": True, "go_backwards": True},
    {"go_backwards": True, "zero_output_for_mask": True},
]


def stack(**arguments):
    return [
        layers.LSTMCell(6, **arguments),
        layers.GRUCell(8, **arguments),
        layers.SimpleRNNCell(6, **arguments),
    ]


def by_steps(monkeypatch):
    monkeypatch.setattr(StackedRNNCells, "by_sequences", False)


def both_ways(monkeypatch, layer, *inputs, **arguments):
    """Outputs and gradients, one cell after the other and step by step."""
    layer(X)

    def outputs(trainable, x, states):
        given = {} if not states else {"initial_state": states}
        with Scope(key=key_from(3)).active():
            found, _ = layer.stateless_call(trainable, fixed, x, **given, **arguments)
        return jax.tree.leaves(found)

    trainable = [v.value for v in layer.trainable_variables]
    fixed = [v.value for v in layer.non_trainable_variables]
    x, states = jnp.asarray(inputs[0]), [jnp.asarray(s) for s in inputs[1:]]

    def everything():
        y, back = jax.vjp(outputs, trainable, x, states)
        return y, back([jnp.cos(jnp.arange(1.0 * e.size)).reshape(e.shape) for e in y])

    with monkeypatch.context() as change:
        by_steps(change)
        wanted = everything()
    return jax.tree.leaves(everything()), jax.tree.leaves(wanted)


def check(monkeypatch, layer, *inputs, **arguments):
    for found, wanted in zip(*both_ways(monkeypatch, layer, *inputs, **arguments), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("flags", FLAGS, ids="-".join)
def test_outputs_states_and_gradients(monkeypatch, flags):
    if len(flags) > 2:
        check(monkeypatch, layers.RNN(stack(), **flags), X)
    check(monkeypatch, layers.RNN(stack(), **flags), X, mask=jnp.asarray(MASK))


@pytest.mark.parametrize("mask", [None, MASK])
def test_given_states(monkeypatch, mask):
    layer = layers.RNN(stack(), return_sequences=True, return_state=True)
    sizes = [6, 6, 8, 6]
    states = [parity.data((3, size), seed=i) for i, size in enumerate(sizes)]
    arguments = {} if mask is None else {"mask": jnp.asarray(mask)}
    check(monkeypatch, layer, X, *states, **arguments)


def test_each_cell_drops_the_same_at_all_steps():
    cells = [
        layers.SimpleRNNCell(400, dropout=0.5, use_bias=False, activation="linear")
        for _ in range(2)
    ]
    layer = layers.RNN(cells, return_sequences=True)
    x = np.ones((1, 4, 400), "f")
    layer(x)
    layer.set_weights([np.eye(400, dtype="f"), np.zeros((400, 400), "f")] * 2)
    np.testing.assert_array_equal(layer(x), x)
    outputs = np.asarray(layer(x, training=True))[0]
    assert (outputs == outputs[0]).all() and set(outputs[0]) == {0, 4}
    assert 260 < (outputs[0] == 0).sum() < 340  # three quarters: draws of their own


def test_a_stateful_layer_goes_on_where_it_stopped():
    cells = stack()
    whole, ours = layers.RNN(cells), layers.RNN(cells, stateful=True)
    expected = whole(X)
    ours(X)
    ours.reset_state()
    ours(X[:, :2])
    np.testing.assert_allclose(ours(X[:, 2:]), expected, rtol=1e-5, atol=1e-6)


def test_no_step_by_step_loop_is_left():
    layer = layers.RNN([layers.LSTMCell(6), layers.LSTMCell(6)])
    layer(X)
    taken = []
    for cell in layer.cell.cells:
        run = cell.run
        cell.run = lambda x, *rest, run=run, **how: taken.append(x.shape) or run(x, *rest, **how)
    layer(X)
    assert taken == [(3, 5, 4), (3, 5, 6)]


def test_what_a_user_overrides_counts():
    class Half(layers.LSTMCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return output / 2, states

    class Twice(StackedRNNCells):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return output * 2, states

    plain = layers.RNN([layers.LSTMCell(6), layers.LSTMCell(6)])
    expected = np.asarray(plain(X))
    for cell, factor in (
        (StackedRNNCells([layers.LSTMCell(6), Half(6)]), 0.5),
        (Twice([layers.LSTMCell(6), layers.LSTMCell(6)]), 2),
    ):
        layer = layers.RNN(cell)
        layer(X)
        layer.set_weights(plain.get_weights())
        np.testing.assert_allclose(layer(X), expected * factor, rtol=1e-5, atol=1e-6)


def test_cells_of_another_type_stay_step_by_step():
    cells = [layers.LSTMCell(6, dtype="bfloat16"), layers.LSTMCell(6)]
    assert not StackedRNNCells(cells).by_sequences
    assert StackedRNNCells(cells[1:]).by_sequences
