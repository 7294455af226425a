"""Pooling: every form of it against the plain one, ties included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from slipstream.kernels.adaptive_pooling import adaptive_average_pool, adaptive_max_pool
from slipstream.kernels.pooling import average_pool, max_pool

CASES = [
    # Windows side by side, that divide the input or do not.
    ((2, 4, 6, 3), (2, 3), (2, 3), "valid"),
    ((2, 5, 7, 2), (2, 2), (2, 2), "valid"),
    ((2, 5, 7, 2), (2, 2), (2, 2), "same"),
    ((1, 9, 2), (3,), (3,), "same"),
    ((1, 4, 2, 4, 1), (2, 2, 2), (2, 2, 2), "valid"),
    # Overlapping, and with gaps.
    ((2, 6, 5, 2), (3, 2), (2, 1), "same"),
    ((2, 6, 5, 2), (3, 3), (1, 1), "valid"),
    ((2, 7, 2), (2,), (3,), "valid"),
    # Too large to be searched at once.
    ((1, 9, 8, 2), (6, 6), (2, 1), "same"),
    ((1, 12, 12, 1), (6, 6), (6, 6), "valid"),
    ((1, 300, 1), (280,), (7,), "valid"),
    # Nothing to do, and no rows.
    ((2, 3, 3, 1), (1, 1), (1, 1), "valid"),
    ((0, 4, 4, 2), (2, 2), (2, 2), "valid"),
]


def plain(x, window, strides, padding, start, operation):
    window, strides = (1, *window, 1), (1, *strides, 1)
    return lax.reduce_window(x, np.float32(start), operation, window, strides, padding.upper())


def with_ties(shape):
    return np.random.default_rng(0).integers(-2, 3, shape).astype("f")


def slope_of(pool, x):
    wanted = np.asarray(pool(x))
    weigh = np.random.default_rng(1).normal(size=wanted.shape).astype("f")
    return jax.jit(jax.grad(lambda x: jnp.sum(pool(x) * weigh)))(x)


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(("shape", "window", "strides", "padding"), CASES)
def test_maximum_has_the_value_and_gradient_of_the_plain_form(
    shape, window, strides, padding, channels_last
):
    x = with_ties(shape)

    def ours(x):
        if channels_last:
            return max_pool(x, window, strides, padding)
        moved = max_pool(jnp.moveaxis(x, -1, 1), window, strides, padding, False)
        return jnp.moveaxis(moved, 1, -1)

    def theirs(x):
        return plain(x, window, strides, padding, -np.inf, lax.max)

    np.testing.assert_array_equal(ours(x), theirs(x))
    value, slope = jax.jit(lambda x: jax.vjp(ours, x)[0])(x), slope_of(ours, x)
    np.testing.assert_array_equal(value, theirs(x))
    np.testing.assert_allclose(slope, slope_of(theirs, x), rtol=1e-5, atol=1e-6)


def test_the_first_of_equal_elements_gets_the_gradient():
    x = np.array([[3, 3, 1, 7], [3, 3, 7, 7]], "f")[None, :, :, None]
    slope = jax.grad(lambda x: jnp.sum(max_pool(x, (2, 2), (2, 2), "valid")))(x)
    np.testing.assert_array_equal(slope[0, :, :, 0], [[1, 0, 0, 1], [0, 0, 0, 0]])


def test_maximum_has_forward_and_second_derivatives():
    x = np.random.default_rng(0).normal(size=(1, 4, 4, 1)).astype("f")

    def total(x):
        return jnp.sum(max_pool(x, (2, 2), (2, 2), "valid") ** 3)

    def reference(x):
        return jnp.sum(x.reshape(1, 2, 2, 2, 2, 1).max((2, 4)) ** 3)

    np.testing.assert_allclose(jax.hessian(total)(x), jax.hessian(reference)(x), rtol=1e-5)


def test_maximum_of_what_is_not_a_number_infinite_or_whole():
    x = np.array([1, np.nan, -np.inf, -np.inf, np.inf, 2], "f")[None, :, None]
    got = max_pool(x, (2,), (2,), "valid")[0, :, 0]
    np.testing.assert_array_equal(got, [np.nan, -np.inf, np.inf])
    whole = np.array([[[-5], [-7], [-9]]], "int8")
    np.testing.assert_array_equal(max_pool(whole, (2,), (2,), "same")[0, :, 0], [-5, -9])
    flags = np.array([[[False], [True], [False]]])
    np.testing.assert_array_equal(max_pool(flags, (2,), (2,), "same")[0, :, 0], [True, False])


@pytest.mark.parametrize(("shape", "window", "strides", "padding"), CASES)
def test_mean_leaves_padding_out(shape, window, strides, padding):
    x = np.random.default_rng(0).normal(size=shape).astype("f")

    def theirs(x):
        counts = plain(jnp.ones_like(x), window, strides, padding, 0, lax.add)
        return plain(x, window, strides, padding, 0, lax.add) / counts

    def ours(x):
        return average_pool(x, window, strides, padding)

    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(slope_of(ours, x), slope_of(theirs, x), rtol=1e-4, atol=1e-5)
    moved = average_pool(np.moveaxis(x, -1, 1), window, strides, padding, False)
    np.testing.assert_allclose(np.moveaxis(moved, 1, -1), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("length", "parts"), [(7, 3), (3, 7), (6, 3), (5, 1), (1, 2)])
def test_adaptive_parts(length, parts):
    x = np.random.default_rng(0).normal(size=(2, length, 3)).astype("f")
    edges = [
        (int(np.floor(i * length / parts)), int(np.ceil((i + 1) * length / parts)))
        for i in range(parts)
    ]
    largest = np.stack([x[:, a:b].max(1) for a, b in edges], 1)
    mean = np.stack([x[:, a:b].mean(1) for a, b in edges], 1)
    np.testing.assert_array_equal(adaptive_max_pool(x, (parts,), (1,)), largest)
    np.testing.assert_allclose(adaptive_average_pool(x, (parts,), (1,)), mean, atol=1e-6)
