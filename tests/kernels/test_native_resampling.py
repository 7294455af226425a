"""The compiled repeating, interpolating and padding against their references."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream.kernels.resampling import pad, repeat, resize_linear

pytestmark = needs_native


def repeated(factors, axes):
    return lambda x: repeat(x, factors, axes)


def resized(*sizes, antialias=False):
    return lambda x: resize_linear(x, (x.shape[0], *sizes, x.shape[-1]), antialias)


def padded(*margins):
    return lambda x: pad(x, margins)


# Function, shape.
CASES = {
    "repeat-1d": (repeated((3,), (1,)), (2, 5, 16)),
    "repeat-2d": (repeated((2, 3), (1, 2)), (2, 3, 5, 64)),
    "repeat-2d-odd-channels": (repeated((2, 2), (1, 2)), (1, 4, 3, 37)),
    "repeat-3d": (repeated((2, 1, 3), (1, 2, 3)), (2, 3, 4, 2, 11)),
    "repeat-the-outer": (repeated((2,), (1,)), (2, 3, 5, 3)),  # rows of 15 numbers
    "repeat-apart": (repeated((2, 2), (1, 4)), (2, 3, 2, 2, 3, 9)),
    "repeat-ones": (repeated((4, 5), (1, 2)), (1, 1, 1, 8)),
    "repeat-examples": (repeated((2, 2), (0, 1)), (3, 2, 9)),
    "longer": (resized(8, 10), (2, 4, 5, 64)),
    "longer-odd": (resized(7, 11), (2, 3, 4, 19)),
    "shorter": (resized(3, 4), (2, 9, 7, 16)),
    "shorter-smooth": (resized(3, 4, antialias=True), (2, 9, 7, 16)),
    "one-to-many": (resized(4, 3), (1, 1, 1, 8)),
    "many-to-one": (resized(1, 1), (1, 4, 3, 8)),
    "line": (resized(13), (3, 5, 9)),
    "longer-rgb": (resized(8, 10), (2, 4, 5, 3)),
    "shorter-rgb": (resized(3, 5), (2, 9, 7, 3)),
    "shorter-smooth-rgb": (resized(3, 4, antialias=True), (2, 9, 7, 3)),
    "one-rgb": (resized(1, 1), (2, 2, 2, 3)),
    "repeat-rgb": (repeated((2, 3), (1, 2)), (2, 3, 5, 3)),
    "five-channels": (resized(8, 10), (2, 4, 5, 5)),
    "pad": (padded((0, 0), (1, 2), (3, 0), (0, 0)), (2, 3, 4, 35)),
    "pad-3d": (padded((0, 0), (1, 1), (0, 2), (1, 0), (0, 0)), (2, 2, 3, 4, 16)),
    "crop": (padded((0, 0), (-1, -2), (0, -1), (0, 0)), (2, 5, 3, 16)),
    "nothing-left": (padded((0, 0), (-5, 9), (0, 0)), (2, 3, 16)),
    "pad-and-crop": (padded((1, 0), (-1, 3), (2, -2), (0, 0)), (2, 5, 3, 16)),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name, dtype):
    function, shape = CASES[name]
    agree(function, normal(*shape, dtype=dtype))
    assert "slipstream_resample" in jax.jit(function).lower(jnp.zeros(shape, dtype)).as_text()


@pytest.mark.parametrize(
    ("function", "shape", "dtype"),
    [
        (repeated((2, 2), (1, 2)), (2, 3, 3, 2), "float32"),  # few channels
        (padded((0, 0), (1, 2), (3, 1), (0, 0)), (2, 3, 4, 1), "float32"),
        (padded((0, 0), (-1, 0), (-1, -2), (0, 0)), (2, 5, 9, 3), "float32"),
        (repeated((2,) * 4, (1, 2, 3, 4)), (1, 2, 2, 2, 2, 8), "float32"),  # four axes
        (repeated((2, 2), (1, 2)), (0, 3, 3, 16), "float32"),
        (repeated((2, 2), (1, 2)), (2, 3, 3, 16), "int32"),
        (padded((0, 0), (1, 1), (0, 0)), (2, 0, 16), "float32"),
        (padded((0, 0), (1, 1), (0, 0)), (2, 3, 16), "float16"),
        (padded((0, 0), (0, 0)), (2, 3), "float32"),
    ],
)
def test_what_it_does_not_know_takes_the_reference(function, shape, dtype):
    x = jnp.arange(np.prod(shape)).reshape(shape).astype(dtype)
    assert "slipstream_" not in jax.jit(function).lower(x).as_text()
    np.testing.assert_array_equal(function(x), plain(function)(x))


def test_copies_are_numpys():
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 17)).astype("f")
    x[0, 1, 2, 3], x[1, 0, 0, 0] = np.nan, np.inf
    np.testing.assert_array_equal(repeat(x, (2, 3), (1, 2)), x.repeat(2, 1).repeat(3, 2))
    np.testing.assert_array_equal(repeat(x, (3, 2), (2, 1)), x.repeat(2, 1).repeat(3, 2))
    margins = ((0, 0), (2, 1), (0, 3), (0, 0))
    np.testing.assert_array_equal(pad(x, margins), np.pad(x, margins))
    moved = pad(x, ((0, 0), (-1, -1), (1, -2), (0, 0)))
    np.testing.assert_array_equal(moved, np.pad(x, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, 1:2, :3])


def test_a_number_that_is_none_reaches_its_neighbours_only():
    x = np.zeros((1, 4, 4, 8), "f")
    x[0, 1, 1, 0] = np.nan
    y = np.asarray(resize_linear(x, (1, 8, 8, 8)))
    assert np.isnan(y[0, 1:5, 1:5, 0]).all() and np.isnan(y).sum() == 16


@pytest.mark.parametrize("function", [resized(9, 7), repeated((2, 3), (1, 2))])
def test_batched_looped_and_differentiated_twice(function):
    x = normal(3, 2, 4, 5, 16)
    wanted = jnp.stack([function(each) for each in x])
    np.testing.assert_allclose(jax.vmap(function)(x), wanted, rtol=1e-6)
    assert "slipstream_resample" in jax.jit(jax.vmap(function)).lower(x).as_text()
    last = jax.vmap(function, -1, -1)(jnp.moveaxis(x, 0, -1))
    np.testing.assert_allclose(jnp.moveaxis(last, -1, 0), wanted, rtol=1e-6)
    looped = jax.lax.scan(lambda total, each: (total, function(each)), 0, x)[1]
    np.testing.assert_allclose(looped, wanted, rtol=1e-6)

    def cube(x):
        return jnp.sum(function(x) ** 3)

    def curve(x):
        return jax.jvp(jax.grad(cube), (x,), (x,))[1]

    ours, theirs = (by(curve)(x[0]) for by in (jax.jit, plain))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_large_input_in_parts_repeats_bit_for_bit():
    x = normal(5, 33, 31, 40)

    def run():
        y, back = jax.vjp(resized(70, 45), x)
        return y, *back(jnp.sin(y))

    for one, other in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(one, other)
    agree(resized(70, 45), x)


def test_long_lines_need_no_matrix_of_all_pairs():
    x = np.arange(200_000, dtype="f").reshape(1, -1, 1)
    y = resize_linear(x, (1, 400_000, 1))
    np.testing.assert_allclose(y[0, 2:6, 0], [0.75, 1.25, 1.75, 2.25])


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")
