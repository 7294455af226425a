"""The compiled products of dense layers and their gradients beside the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream.kernels import dense, native

pytestmark = needs_native


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    """And large ones: whatever the shape, the compiled form is what is tested."""
    monkeypatch.setattr(dense, "_WIDE", 0)
    for name in ("_MOST", "_MOST_ALONE", "_CHAINED", "_DEEPEST", "_NARROW"):
        monkeypatch.setattr(dense, name, 2**40)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"),
    [
        (1, 1, 1),
        (3, 5, 7),
        (257, 13, 33),
        (64, 100, 10),
        (300, 301, 303),
        (1100, 75, 161),
        (2500, 12, 20),
    ],
    ids=str,
)
def test_value_and_gradients(rows, inputs, outputs, dtype):
    x, matrix = normal(rows, inputs, dtype=dtype), normal(inputs, outputs, seed=1, dtype=dtype)
    agree(dense.product, x, matrix)
    agree(dense.weight_gradient, x, normal(rows, outputs, seed=2, dtype=dtype))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 6, 7, 23, 37, 41, 130, 800])
def test_products_of_few_rows_and_of_many(rows, relu):
    for inputs, outputs in ((1, 1), (3, 16), (17, 10), (130, 32), (99, 47), (300, 70)):
        x, matrix = normal(rows, inputs), normal(inputs, outputs, seed=1)
        bias = normal(outputs, seed=2)
        agree(lambda x, m, b: dense.product(x, m, b, relu), x, matrix, bias)
        agree(lambda x, m: dense.product(x, m, None, relu), x, matrix)


def test_products_are_exact_to_float32():
    """Rows that are read from the matrix itself, packed, turned round: all are float32 sums."""
    for rows in (1, 5, 36, 200):
        x, matrix = normal(rows, 513), normal(513, 77, seed=1)
        wanted = np.asarray(x, "d") @ np.asarray(matrix, "d")
        with native.kernels("native"):
            np.testing.assert_allclose(dense.product(x, matrix), wanted, atol=2e-4)
            back = jax.vjp(lambda x, m=matrix: dense.product(x, m), x)[1](jnp.asarray(wanted, "f"))[
                0
            ]
        np.testing.assert_allclose(back, wanted @ np.asarray(matrix, "d").T, rtol=1e-4, atol=5e-3)


def test_not_a_number_stays():
    x = normal(9, 20).at[4, 3].set(jnp.nan)
    with native.kernels("native"):
        y = np.asarray(dense.product(x, normal(20, 40, seed=1), relu=True))
    assert np.isnan(y[4]).all() and np.isfinite(np.delete(y, 4, 0)).all()


def test_many_rows_are_exact_to_float32():
    x, dy = normal(5000, 24, seed=1), normal(5000, 40, seed=2)
    wanted = np.asarray(x, "d").T @ np.asarray(dy, "d")
    np.testing.assert_allclose(jax.jit(dense.weight_gradient)(x, dy), wanted, atol=2e-4)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(1030, 401, 333), (257, 1021, 520)], ids=str)
def test_large_gradients_are_sums_of_blocks(shape, dtype):
    """So large that blocks of both sides are packed; sides that no block or panel divides."""
    rows, inputs, outputs = shape
    assert rows * inputs * outputs >= 2**27  # kLarge in native/dense.cc
    x, dy = normal(rows, inputs, dtype=dtype), normal(rows, outputs, seed=1, dtype=dtype)
    wanted = np.asarray(x, "d").T @ np.asarray(dy, "d")
    with native.kernels("native"):
        found = [np.asarray(jax.jit(dense.weight_gradient)(x, dy), "d") for _ in range(2)]
    np.testing.assert_array_equal(*found)
    near = {"atol": 5e-4} if dtype == "float32" else {"atol": 0.02, "rtol": 2**-8}
    np.testing.assert_allclose(found[0], wanted, **near)


@pytest.mark.parametrize("shape", [(130, 1030, 1021), (391, 521, 2050), (700, 250, 4210)], ids=str)
def test_large_products_are_sums_of_blocks(shape):
    """So many numbers of a matrix that blocks of both sides are packed, in both directions."""
    rows, inputs, outputs = shape
    assert inputs * outputs >= 2**20  # kVast in native/product.cc
    x, matrix = normal(rows, inputs), normal(inputs, outputs, seed=1)
    bias, dy = normal(outputs, seed=2), normal(rows, outputs, seed=3)
    with native.kernels("native"):
        y, back = jax.vjp(jax.jit(lambda x: dense.product(x, matrix, bias, relu=True)), x)
        again = jax.jit(lambda x: dense.product(x, matrix, bias, relu=True))(x)
        dx = back(dy)[0]
    np.testing.assert_array_equal(y, again)
    wide = np.asarray(matrix, "d")
    wanted = np.maximum(np.asarray(x, "d") @ wide + np.asarray(bias), 0)
    np.testing.assert_allclose(y, wanted, atol=5e-4)
    passed = np.where(np.asarray(y) > 0, np.asarray(dy, "d"), 0)
    np.testing.assert_allclose(dx, passed @ wide.T, atol=1e-3)


def test_axes_before_the_last_are_rows():
    x, matrix = normal(2, 3, 4, 5), normal(5, 6, seed=1)
    agree(dense.product, x, matrix)
    np.testing.assert_allclose(dense.product(x, matrix), np.asarray(x) @ np.asarray(matrix), 1e-5)


def test_second_derivatives_and_batching():
    x, matrix = normal(4, 3), normal(3, 2, seed=1)

    def cost(matrix):
        return jnp.sum(jnp.sin(dense.product(x, matrix)))

    def both():
        steep = jax.jvp(jax.grad(cost), (matrix,), (jnp.cos(matrix),))[1]
        return steep, jax.vmap(jax.grad(cost))(jnp.stack([matrix, -matrix]))

    for ours, theirs in zip(jax.jit(both)(), plain(both)(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_results_repeat_bit_for_bit():
    x, dy = normal(3000, 50), normal(3000, 70, seed=1)
    for run, *arrays in (
        (jax.jit(dense.weight_gradient), x, dy),
        (jax.jit(dense.product), x, normal(50, 300)),
        (jax.jit(dense.product), x[:1], normal(50, 30_000)),
    ):
        first = run(*arrays)
        assert all(np.array_equal(first, run(*arrays)) for _ in range(3))


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 70), inputs=st.integers(1, 70), outputs=st.integers(1, 70))
def test_any_shape(rows, inputs, outputs):
    x, matrix = normal(rows, inputs), normal(inputs, outputs, seed=1)
    dy = normal(rows, outputs, seed=2)
    with native.kernels("native"):
        y, back = jax.vjp(jax.jit(dense.product), x, matrix)
        dx, gradient = back(dy)
    held_to_rounding(y, x, matrix)
    held_to_rounding(dx, dy, matrix.T)
    held_to_rounding(gradient, x.T, dy)


def held_to_rounding(found, one, other):
    """A product beside float64, to the rounding of its terms: a sum may cancel out to nothing."""
    one, other = np.asarray(one, "d"), np.asarray(other, "d")
    off, terms = np.abs(np.asarray(found, "d") - one @ other), np.abs(one) @ np.abs(other)
    assert (off <= 1e-6 * terms).all(), (off / terms).max()


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_other_libraries(library):
    passes_with(library, name_of(__file__))
