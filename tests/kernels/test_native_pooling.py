"""The compiled pooling against its reference, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import plain

from slipstream.kernels import native
from slipstream.kernels.pooling import average_pool, max_pool

pytestmark = pytest.mark.skipif(not native.runnable(), reason="no compiled kernels here")

# shape, window, strides, padding
CASES = [
    ((2, 6, 8, 16), (2, 2), (2, 2), "valid"),
    ((2, 5, 7, 37), (2, 3), (2, 3), "valid"),
    ((2, 5, 7, 8), (2, 2), (2, 2), "same"),
    ((2, 9, 8, 131), (3, 3), (2, 2), "same"),
    ((1, 6, 5, 9), (3, 2), (1, 1), "valid"),
    ((2, 23, 12), (4,), (3,), "same"),
    ((2, 13, 8), (2,), (3,), "valid"),  # positions in no window
    ((1, 4, 5, 3, 16), (2, 3, 2), (1, 2, 2), "same"),
    ((1, 12, 12, 8), (7, 6), (2, 1), "same"),  # one axis at a time
    ((2, 9, 11, 24), (9, 11), (9, 11), "valid"),  # one window
    ((1, 1, 1, 8), (1, 1), (1, 1), "valid"),
]
# Means of whole examples, with few channels too.
WHOLE = [(2, 9, 11, 3), (3, 5, 1), (1, 2, 3, 4, 67), (1, 1, 1, 1), (1, 60, 70, 33), (20, 7, 13, 8)]


def data(shape, dtype, seed=0):
    """Few different numbers, so that windows have ties."""
    return jnp.asarray(np.random.default_rng(seed).integers(-3, 4, shape) / 4, dtype)


def all_of(pool, shape, window, strides, padding, dtype, by=jax.jit):
    """Value and gradient along a random direction."""
    x = data(shape, dtype)

    def apply(x):
        return pool(x, window, strides, padding)

    dy = data(jax.eval_shape(apply, x).shape, dtype, 1)

    def run(x, dy):
        y, back = jax.vjp(apply, x)
        return y, *back(dy)

    return by(run)(x, dy)


@pytest.mark.parametrize("pool", [max_pool, average_pool])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:3])))
def test_value_and_gradient(case, dtype, pool):
    got = all_of(pool, *case, dtype)
    wanted = all_of(pool, *case, "float32", by=plain)
    tolerance = 1e-6 if dtype == "float32" else 2e-2
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.dtype == dtype
        np.testing.assert_allclose(
            np.asarray(mine, "f"), theirs, tolerance, tolerance * (1 + np.abs(theirs).max())
        )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", WHOLE)
def test_means_of_whole_examples(shape, dtype):
    test_value_and_gradient((shape, shape[1:-1], shape[1:-1], "valid"), dtype, average_pool)


def test_a_mean_of_many_keeps_its_digits():
    x = np.full((1, 1024, 1024, 3), 0.1, "f") + np.float32(1000)
    means = average_pool(x, (1024, 1024), (1024, 1024), "valid")
    np.testing.assert_allclose(means.ravel(), x.mean(dtype="d"), rtol=3e-6)


def program(pool, window):
    x = data((2, 6, 6, 16), "float32")
    return jax.jit(jax.grad(lambda x: pool(x, window, window, "valid").sum())).lower(x).as_text()


@pytest.mark.parametrize(
    ("pool", "name", "window"),
    [
        (max_pool, "max_pool", (2, 2)),
        (average_pool, "average_pool", (2, 2)),
        (average_pool, "global_mean", (6, 6)),
    ],
)
def test_the_compiled_form_is_what_ran(pool, name, window):
    assert f"slipstream_{name}_gradient" in program(pool, window)
    with native.kernels("reference"):
        assert "slipstream_" not in program(pool, window)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 1), (2, 3)])
def test_a_large_input_in_parts_repeats_bit_for_bit(window, stride, padding):
    case = ((8, 37, 41, 24), (window,) * 2, (stride,) * 2, padding, "float32")
    once, again = all_of(max_pool, *case), all_of(max_pool, *case)
    wanted = all_of(max_pool, *case, by=plain)
    for one, other, theirs in zip(once, again, wanted, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(one, theirs, 1e-6)


def test_numbers_that_are_none_stay_and_the_first_of_equals_wins():
    x = np.zeros((1, 4, 4, 8), "f")
    x[0, 0, 0, 0], x[0, 2, 2, 1], x[0, 1, 1, 2] = np.nan, np.nan, -np.inf
    y, back = jax.vjp(lambda x: max_pool(x, (2, 2), (2, 2), "valid"), x)
    wanted = np.zeros((1, 2, 2, 8), "f")
    wanted[0, 0, 0, 0] = wanted[0, 1, 1, 1] = np.nan
    np.testing.assert_array_equal(y, wanted)
    (slope,) = back(jnp.ones_like(y))
    np.testing.assert_array_equal(slope[0, :, :, 3], [[1, 0, 1, 0], [0] * 4] * 2)


@pytest.mark.parametrize("pool", [max_pool, average_pool])
def test_second_derivatives(pool):
    x = np.random.default_rng(0).normal(size=(1, 3, 3, 8)).astype("f")

    def total(x):
        return jnp.sum(pool(x, (2, 2), (1, 1), "same") ** 3)

    def curve(x, by=jax.jit):
        return by(lambda x: jax.jvp(jax.grad(total), (x,), (x,))[1])(x)

    got = curve(x)
    np.testing.assert_allclose(got, curve(x, plain), rtol=1e-5, atol=1e-5)
