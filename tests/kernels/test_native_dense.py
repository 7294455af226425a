"""The compiled gradient of a dense kernel beside its reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slipstream.kernels import dense, native
from tests.kernels.native_cases import agree, name_of, needs_native, normal, others, passes_with

pytestmark = needs_native


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(dense, "WORTH", 0)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"),
    [(1, 1, 1), (3, 5, 7), (257, 13, 33), (64, 100, 10), (300, 301, 303), (2500, 12, 20)],
    ids=str,
)
def test_value_and_gradients(rows, inputs, outputs, dtype):
    x, matrix = normal(rows, inputs, dtype=dtype), normal(inputs, outputs, seed=1, dtype=dtype)
    agree(dense.product, x, matrix)
    agree(dense.weight_gradient, x, normal(rows, outputs, seed=2, dtype=dtype))


def test_many_rows_are_exact_to_float32():
    x, dy = normal(5000, 24, seed=1), normal(5000, 40, seed=2)
    wanted = np.asarray(x, "d").T @ np.asarray(dy, "d")
    np.testing.assert_allclose(jax.jit(dense.weight_gradient)(x, dy), wanted, atol=2e-4)


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

    with native.kernels("native"):
        found = both()
    with native.kernels("reference"):
        wanted = both()
    for ours, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_results_repeat_bit_for_bit():
    x, dy = normal(3000, 50), normal(3000, 70, seed=1)
    run = jax.jit(dense.weight_gradient)
    first = run(x, dy)
    assert all(np.array_equal(first, run(x, dy)) for _ in range(3))


@settings(max_examples=15, deadline=None)
@given(rows=st.integers(1, 70), inputs=st.integers(1, 70), outputs=st.integers(1, 70))
def test_any_shape(rows, inputs, outputs):
    agree(dense.weight_gradient, normal(rows, inputs), normal(rows, outputs, seed=1))


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_other_libraries(library):
    passes_with(library, name_of(__file__))
