"""Statistics against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream.kernels.normalization import root_mean_square, standardize, widen


@pytest.mark.parametrize("mean", [0, 10, 1e3])
def test_statistics_stay_accurate_far_from_zero(rng, mean):
    x = (rng.normal(size=(64, 32, 3)) + mean).astype("f")
    exact = x.astype("d")
    outputs, got_mean, variance = standardize(x, (0, 1), 1e-3)
    np.testing.assert_allclose(np.ravel(got_mean), exact.mean((0, 1)), atol=1e-6 * max(mean, 1))
    np.testing.assert_allclose(np.ravel(variance), exact.var((0, 1)), rtol=1e-5)
    wanted = (exact - exact.mean((0, 1))) / np.sqrt(exact.var((0, 1)) + 1e-3)
    np.testing.assert_allclose(outputs, wanted, atol=2e-6 * max(mean, 1))


@pytest.mark.parametrize("shape", [(6, 1, 1), (6, 4, 1), (6, 4, 3), (1, 4, 1)])
def test_only_what_counts_is_counted(rng, shape):
    x = rng.normal(size=(6, 4, 3)).astype("f")
    counted = np.arange(np.prod(shape)).reshape(shape) % 5 != 1
    everywhere = np.broadcast_to(counted, x.shape)
    _, mean, variance = standardize(x, (0, 1), 0.1, counted)
    for channel in range(3):
        mine = x[..., channel][everywhere[..., channel]].astype("d")
        np.testing.assert_allclose(mean[0, 0, channel], mine.mean(), atol=1e-6)
        np.testing.assert_allclose(variance[0, 0, channel], mine.var(), rtol=1e-5)
    poisoned = np.where(everywhere, x, np.nan)
    again = standardize(poisoned, (0, 1), 0.1, counted)
    np.testing.assert_array_equal(again[1], mean)
    np.testing.assert_array_equal(again[2], variance)


def test_nothing_to_count_gives_zeros():
    _, mean, variance = standardize(np.ones((2, 3), "f"), (0,), 0.1, np.zeros((2, 1), bool))
    assert not np.any(mean) and not np.any(variance)


@pytest.mark.parametrize("counted", [None, np.array([[True], [False], [True], [True]])])
def test_gradients_by_differences(rng, counted):
    x, weigh = rng.normal(size=(4, 3)), rng.normal(size=(2, 4, 3))

    def loss(x):
        first = standardize(x, (0,), 0.1, counted)[0]
        return jnp.sum(first * weigh[0]) + jnp.sum(root_mean_square(x, (1,), 0.1) * weigh[1])

    with jax.enable_x64(True):
        slopes = jax.grad(loss)(jnp.asarray(x))
        for place in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[place] = 1e-6
            difference = (loss(x + step) - loss(x - step)) / 2e-6
            np.testing.assert_allclose(slopes[place], difference, rtol=1e-5, atol=1e-8)


def test_sums_of_low_precision_are_taken_in_float32():
    assert widen(jnp.ones(2, "bfloat16")).dtype == "float32"
    assert widen(jnp.ones(2, "int32")).dtype == "float32"
