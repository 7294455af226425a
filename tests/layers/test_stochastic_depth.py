"""`StochasticDepth`: whole branches, for each example by itself, and only while training."""

import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers
from slipstream.models import Model, load_model


@pytest.mark.parametrize("shape", [(4000,), (4000, 3), (4000, 2, 1, 3)])
def test_each_example_keeps_or_loses_all_of_it(shape):
    x = np.ones(shape, "f")
    found = np.asarray(layers.StochasticDepth(0.3)(x, training=True)).reshape(len(x), -1)
    assert (found == found[:, :1]).all()
    kept = found[:, 0] > 0
    assert abs(kept.mean() - 0.7) < 0.04  # five deviations
    np.testing.assert_allclose(found[kept], 1 / 0.7, rtol=1e-6)


def test_it_passes_on_where_it_is_off_and_drops_all_at_one():
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("f")
    np.testing.assert_array_equal(layers.StochasticDepth(0.9)(x), x)
    np.testing.assert_array_equal(layers.StochasticDepth(0)(x, training=True), x)
    np.testing.assert_array_equal(layers.StochasticDepth(1)(x, training=True), 0 * x)
    assert layers.StochasticDepth(0.5)(x[:0], training=True).shape == (0, 3)
    assert layers.StochasticDepth(0.5)(jnp.asarray(x, "bfloat16"), training=True).dtype == "float32"


def test_in_a_model_that_is_saved(tmp_path):
    x = layers.Input((3,))
    branch = layers.StochasticDepth(0.4, seed=1)(layers.Dense(3)(x))
    model = Model(x, layers.Add()([x, branch]))
    model.compile("sgd", "mse")
    rows = np.random.default_rng(0).normal(size=(8, 3)).astype("f")
    model.fit(rows, rows, verbose=0)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    layer = next(each for each in again.layers if isinstance(each, layers.StochasticDepth))
    assert (layer.rate, layer.seed) == (0.4, 1)
    np.testing.assert_array_equal(again.predict(rows, verbose=0), model.predict(rows, verbose=0))


def test_a_rate_beyond_its_range():
    with pytest.raises(ValueError, match="rate must be between 0 and 1"):
        layers.StochasticDepth(1.5)
