"""The compiled maximum and mean over parts against their references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream.kernels import native
from slipstream.kernels.adaptive_pooling import adaptive_average_pool, adaptive_max_pool

pytestmark = needs_native

# Shape, number of parts along each axis.
CASES = {
    "shared": ((2, 32, 32, 64), (5, 5)),
    "equal": ((2, 12, 8, 16), (3, 4)),
    "odd": ((3, 7, 11, 19), (3, 4)),
    "line": ((2, 10, 8), (4,)),
    "volume": ((2, 5, 4, 7, 9), (2, 3, 2)),
    "all": ((2, 9, 5, 33), (1, 1)),
    "more-than-there-are": ((1, 2, 3, 8), (5, 7)),
    "each-by-itself": ((2, 4, 3, 130), (4, 3)),
    "one": ((1, 1, 1, 8), (1, 1)),
    "one-axis": ((2, 6, 5, 24), (6, 2)),
}


def largest(sizes):
    return lambda x: adaptive_max_pool(x, sizes, range(1, 1 + len(sizes)))


def mean(sizes):
    return lambda x: adaptive_average_pool(x, sizes, range(1, 1 + len(sizes)))


def distinct(*shape, dtype="float32"):
    """No two elements of an image's channel are equal, and halves hold each."""
    places = np.prod(shape[1:-1])
    order = np.random.default_rng(0).permuted(
        np.tile(np.arange(places), (shape[0], shape[-1], 1)), axis=-1
    )
    return jnp.asarray(np.moveaxis(order, 1, -1).reshape(shape) - places // 2, dtype)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_mean_and_gradient(name, dtype):
    shape, sizes = CASES[name]
    alone = name in ("one", "each-by-itself")  # a plain mean, and no mean at all
    agree(mean(sizes), normal(*shape, dtype=dtype), derived=alone)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_maximum_and_gradient(name, dtype):
    shape, sizes = CASES[name]
    if dtype == "bfloat16" and np.prod(shape[1:-1]) > 256:
        shape = (shape[0], 15, 16, shape[-1])
    x = distinct(*shape, dtype=dtype)
    agree(largest(sizes), x)
    assert "slipstream_adaptive_max" in jax.jit(largest(sizes)).lower(x).as_text()


def test_the_maximum_is_numpys():
    x = np.asarray(normal(2, 7, 11, 19))
    wanted = [
        [x[:, r * 7 // 3 : -(-(r + 1) * 7 // 3), c * 11 // 4 : -(-(c + 1) * 11 // 4)].max((1, 2))
         for c in range(4)]
        for r in range(3)
    ]  # fmt: skip
    np.testing.assert_array_equal(largest((3, 4))(x), np.moveaxis(wanted, 2, 0))


def test_the_gradient_goes_to_the_first_of_equal_ones():
    x = jnp.zeros((1, 5, 16))  # parts 0, 1, 2 and 2, 3, 4
    for which in ("native", "reference"):
        with native.kernels(which):
            (slope,) = jax.vjp(jax.jit(largest((2,))), x)[1](jnp.ones((1, 2, 16)))
        np.testing.assert_array_equal(slope[0, :, 3], [1, 0, 1, 0, 0])


def test_what_is_no_number_and_what_has_no_end():
    x = np.asarray(normal(2, 6, 4, 16)).copy()
    x[0, 1, 2, 5], x[0, 4, 0, :], x[1, :, :, 3] = np.nan, np.inf, -np.inf
    y = np.asarray(largest((2, 2))(x))
    assert np.isnan(y[0, 0, 1, 5]) and np.isnan(y).sum() == 1
    assert (y[0, 1, 0] == np.inf).all() and (y[1, ..., 3] == -np.inf).all()
    assert np.isnan(np.asarray(mean((2, 2))(x))).sum() == 1


@pytest.mark.parametrize(
    ("shape", "sizes", "dtype"),
    [
        ((2, 5, 5, 3), (2, 2), "float32"),  # few channels
        ((0, 5, 5, 16), (2, 2), "float32"),
        ((2, 5, 5, 16), (2, 2), "int32"),
        ((2, 5, 5, 16), (2, 2), "float16"),
    ],
)
def test_what_it_does_not_know_takes_the_reference(shape, sizes, dtype):
    x = jnp.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert "slipstream_" not in jax.jit(largest(sizes)).lower(x).as_text()
    assert mean(sizes)(x).shape == largest(sizes)(x).shape == (shape[0], *sizes, shape[-1])
    if x.size:
        np.testing.assert_array_equal(largest(sizes)(x)[:, 0, 0], x[:, 2, 2])


@pytest.mark.parametrize("function", [largest((3, 2)), mean((3, 2))])
def test_batched_looped_and_differentiated_twice(function):
    x = normal(3, 2, 5, 7, 16)
    wanted = jnp.stack([function(each) for each in x])
    np.testing.assert_allclose(jax.vmap(function)(x), wanted, rtol=1e-5, atol=1e-6)
    looped = jax.lax.scan(lambda total, each: (total, function(each)), 0, x)[1]
    np.testing.assert_allclose(looped, wanted, rtol=1e-6)

    def curve(x):
        slope = jax.grad(lambda x: jnp.sum(function(x) ** 3))
        return jax.jvp(slope, (x,), (x,))[1]

    ours, theirs = (by(curve)(x[0]) for by in (jax.jit, plain))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_maximum_and_gradient")
