"""`Bidirectional` and `TimeDistributed`."""

import keras
import numpy as np
import parity
import pytest

from slipstream import layers
from slipstream.core import registry

X = parity.data((3, 4, 5))
MASK = np.array([[1, 1, 1, 1], [0, 1, 1, 0], [1, 0, 1, 0]], bool)


def both(make, *args, **call):
    """What `make` makes of our layers and of Keras', with the same random weights."""
    ours, theirs = make(layers), make(keras.layers)
    ours(*args, **call), theirs(*args, **call)
    parity.share_weights(ours, theirs)
    return ours, theirs


def configs(*pair):
    mine = registry.serialize(pair[0])["config"]
    other = keras.saving.serialize_keras_object(pair[1])["config"]
    return mine, other


def unnamed(config):
    if isinstance(config, dict):
        return {k: unnamed(v) for k, v in parity.plain(config).items() if k != "name"}
    return [unnamed(v) for v in config] if isinstance(config, (list, tuple)) else config


CASES = [
    ("concat", "LSTM", {}),
    (None, "LSTM", {"return_sequences": True, "return_state": True}),
    ("sum", "GRU", {"return_sequences": True}),
    ("mul", "GRU", {"return_state": True, "reset_after": False}),
    ("ave", "SimpleRNN", {"return_sequences": True, "return_state": True}),
]


@pytest.mark.parametrize(("mode", "name", "flags"), CASES)
@pytest.mark.parametrize("mask", [None, MASK])
def test_bidirectional_is_keras(mode, name, flags, mask):
    ours, theirs = both(lambda room: room.Bidirectional(getattr(room, name)(2, **flags), mode), X)
    parity.close(ours(X, mask=mask), theirs(X, mask=mask), 1e-4, 1e-5)
    shape = ours.compute_output_shape(X.shape)
    assert shape == theirs.compute_output_shape(X.shape)
    symbolic = type(ours).from_config(ours.get_config())(layers.Input((4, 5)))
    shapes = [s.shape for s in symbolic] if isinstance(symbolic, tuple) else symbolic.shape
    with_batch = [(None, *s[1:]) for s in shape] if isinstance(shape[0], tuple) else shape
    assert shapes == (with_batch if isinstance(shapes, list) else (None, *shape[1:]))


def test_bidirectional_gradients_are_keras():
    import jax

    from slipstream.core.scope import Scope

    make = lambda room: room.Bidirectional(room.LSTM(2, return_sequences=True))  # noqa: E731
    ours, theirs = both(make, X)

    def mine(values):
        with Scope(ours.variables, values).active():
            return (ours(X, mask=MASK) ** 2).sum()

    def other(values):
        fixed = [v.value for v in theirs.non_trainable_variables]
        return (theirs.stateless_call(values, fixed, X, mask=MASK)[0] ** 2).sum()

    values = [v.value for v in theirs.trainable_variables]
    parity.close(jax.grad(mine)(values), jax.grad(other)(values), 1e-3, 1e-4)


def test_bidirectional_splits_initial_states():
    states = parity.data([(3, 2)] * 4)
    ours, theirs = both(lambda room: room.Bidirectional(room.LSTM(2, return_state=True)), X)
    parity.close(ours(X, initial_state=states), theirs(X, initial_state=states), 1e-4, 1e-5)
    with pytest.raises(ValueError, match="as many initial states.*got 3"):
        ours(X, initial_state=states[:3])


def test_bidirectional_configuration_and_names_are_keras():
    make = lambda room: room.Bidirectional(  # noqa: E731
        room.LSTM(2, name="q", seed=3, dropout=0.1), backward_layer=room.GRU(2, go_backwards=True)
    )
    ours, theirs = both(make, X)
    assert unnamed(configs(ours, theirs)[0]) == unnamed(configs(ours, theirs)[1])
    plain, other = both(lambda room: room.Bidirectional(room.LSTM(2, name="q"), name="b"), X)
    assert parity.plain(configs(plain, other)[0]) == {
        **parity.plain(configs(plain, other)[1]),
    }
    for config in configs(plain, other):
        again = layers.Bidirectional.from_config(config)
        assert again.forward_layer.name == "forward_q"
        assert again.backward_layer.name == "backward_q"
        assert again.backward_layer.go_backwards
        again(X)
        again.set_weights(plain.get_weights())
        np.testing.assert_array_equal(again(X), plain(X))


def test_bidirectional_starts_from_given_weights():
    first = layers.Bidirectional(layers.GRU(2))
    first(X)
    second = layers.Bidirectional(layers.GRU(2), weights=first.get_weights())
    np.testing.assert_array_equal(second(X), first(X))


def test_bidirectional_resets_both_layers():
    layer = layers.Bidirectional(layers.GRU(2, stateful=True))
    first = np.asarray(layer(X))
    assert np.any(np.asarray(layer(X)) != first)
    assert not layer.per_example
    layer.reset_state()
    np.testing.assert_array_equal(layer(X), first)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Bidirectional(layers.Dense(2)), "wraps a recurrent layer"),
        (lambda: layers.Bidirectional(layers.LSTM(2), "max"), "merge_mode must be one of.*'max'"),
        (
            lambda: layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2)),
            "exactly one of.*go_backwards=True; got False",
        ),
        (
            lambda: layers.Bidirectional(
                layers.LSTM(2),
                backward_layer=layers.LSTM(2, go_backwards=True, return_sequences=True),
            ),
            "same return_sequences; got False and True",
        ),
        (lambda: layers.TimeDistributed(3), "wraps a layer; got 3"),
        (lambda: layers.TimeDistributed(layers.Dense(2))(X[0]), "at least 3 axes"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda room: room.TimeDistributed(room.Dense(2, activation="tanh")), (2, 3, 4)),
        (lambda room: room.TimeDistributed(room.TimeDistributed(room.Dense(2))), (2, 1, 3, 4)),
        (lambda room: room.TimeDistributed(room.GRU(2, return_sequences=True)), (2, 3, 4, 1)),
        (lambda room: room.TimeDistributed(room.Conv1D(2, 2, strides=2)), (1, 2, 5, 3)),
        (lambda room: room.TimeDistributed(room.Dense(2)), (0, 3, 4)),
    ],
)
def test_time_distributed_is_keras(make, shape):
    x = parity.data(shape)
    ours, theirs = both(make, x)
    outputs = ours(x)
    parity.close(outputs, theirs(x), 1e-4, 1e-5)
    assert ours.compute_output_shape(shape) == outputs.shape
    assert make(layers)(layers.Input((None, *shape[2:]))).shape == (None, None, *outputs.shape[2:])
    assert unnamed(configs(ours, theirs)[0]) == unnamed(configs(ours, theirs)[1])
    again = registry.deserialize(configs(ours, theirs)[1] and registry.serialize(ours))
    again(x)
    again.set_weights(ours.get_weights())
    np.testing.assert_array_equal(again(x), outputs)


def test_time_distributed_folds_masks_too():
    x, mask = parity.data((2, 3, 4, 2)), parity.data((2, 3, 4)) > 0
    ours, theirs = both(lambda room: room.TimeDistributed(room.LSTM(2)), x)
    parity.close(ours(x, mask=mask), theirs(x, mask=mask), 1e-4, 1e-5)
    np.testing.assert_array_equal(ours.compute_mask(x, mask), mask)


def test_time_distributed_updates_what_the_layer_keeps():
    layer = layers.TimeDistributed(layers.BatchNormalization(momentum=0.5))
    layer(X, training=True)
    mean = 0.0
    for step in X.mean(0):  # as in Keras, one step after the other
        mean = 0.5 * mean + 0.5 * step
    np.testing.assert_allclose(layer.layer.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-5)
