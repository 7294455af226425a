"""Large predictions are not copied, and are still the caller's alone."""

import gc

import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers
from slipstream.core.layer import Layer
from slipstream.models import Model
from slipstream.training import boundary
from slipstream.training.boundary import taken

ROWS, COLUMNS = 1024, 128  # more bytes than are copied


class Given(Layer):
    """Gives back a weight of its own, whatever goes in."""

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(ROWS, COLUMNS), initializer="ones")

    def call(self, inputs):
        return jnp.asarray(self.kernel)


@pytest.fixture
def x(rng):
    return rng.normal(size=(ROWS, COLUMNS)).astype("f")


def built():
    inputs = layers.Input((COLUMNS,))
    return Model(inputs, layers.Dense(COLUMNS, "elu")(inputs))  # not without a program


def test_a_large_output_is_handed_over_as_it_lies():
    output = jnp.arange(ROWS * COLUMNS, dtype="float32").reshape(ROWS, COLUMNS) + 1
    wanted = np.array(output)
    found = taken(output)
    assert np.may_share_memory(found, np.asarray(output)) and found.flags.writeable
    part = found[10:20]
    del output, found
    gc.collect()
    others = [jnp.full((ROWS, COLUMNS), float(i)) + 1 for i in range(8)]  # would take free memory
    np.testing.assert_array_equal(part, wanted[10:20])
    assert others[0].shape == (ROWS, COLUMNS)


@pytest.mark.parametrize("output", [jnp.ones(8), jnp.ones((ROWS, COLUMNS), "bfloat16")])
def test_small_outputs_and_those_of_other_types_are_copied(output):
    found = taken(output)
    assert not np.may_share_memory(found, np.asarray(output)) and found.flags.writeable
    np.testing.assert_array_equal(found, np.asarray(output))


@pytest.mark.parametrize("rows", [32, 1000, ROWS])
def test_predictions_are_right_and_can_be_written_to(monkeypatch, x, rows):
    monkeypatch.setattr(boundary, "_LARGE", 1)
    model = built()
    kernel, bias = model.get_weights()
    first, second = (model.predict(part, verbose=0) for part in (x[:rows], 2 * x[:rows]))
    kept = first.copy()
    second[:] = 0
    np.testing.assert_array_equal(first, kept)
    sums = x[:rows] @ kernel + bias
    np.testing.assert_allclose(first, np.where(sums > 0, sums, np.expm1(sums)), atol=1e-4)
    assert not model._session.predict.shares
    for _ in range(3):
        model.predict(-x[:rows], verbose=0)
    np.testing.assert_array_equal(first, kept)


def test_one_output_twice_is_two_arrays(x):
    inputs = layers.Input((COLUMNS,))
    outputs = layers.Dense(COLUMNS)(inputs)
    model = Model(inputs, [outputs, outputs])
    one, other = model.predict(x, batch_size=ROWS, verbose=0)
    assert model._session.predict.shares  # whether or not this release of JAX copies it
    wanted = other.copy()
    one[:] = 0
    np.testing.assert_array_equal(other, wanted)


def test_a_weight_as_an_output_stays_the_models(x):
    layer = Given()
    inputs = layers.Input((COLUMNS,))
    model = Model(inputs, layer(inputs))
    found = model.predict(x, batch_size=ROWS, verbose=0)
    assert model._session.predict.shares
    found[:] = -7
    np.testing.assert_array_equal(layer.kernel.numpy(), 1)
    np.testing.assert_array_equal(model.predict(x, batch_size=ROWS, verbose=0), 1)


def test_a_state_as_an_output_stays_the_models(x):
    layer = layers.SimpleRNN(COLUMNS, stateful=True)
    inputs = layers.Input(batch_shape=(ROWS, 1, COLUMNS))
    model = Model(inputs, layer(inputs))
    found = model.predict(x[:, None], batch_size=ROWS, verbose=0)
    wanted = np.array(layer.states[0])
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.abs(wanted).max() > 0.1
    found[:] = -7
    np.testing.assert_array_equal(np.array(layer.states[0]), wanted)
