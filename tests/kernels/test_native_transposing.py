"""Matrices transposed by the CPU's own form, and which orders of axes it takes."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream import layers
from slipstream.kernels import native, transposing
from slipstream.kernels.transposing import transposed

pytestmark = needs_native


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(transposing, "_LEAST", 1)
    monkeypatch.setattr(transposing, "_FEWEST", 1)


def lowered(x, axes):
    with native.kernels("native"):
        return jax.jit(lambda x: transposed(x, axes)).lower(x)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 5), st.integers(1, 70), st.integers(1, 70))
def test_any_shape(count, rows, columns):
    x = normal(count, rows, columns)
    found = lowered(x, (0, 2, 1)).compile()(x)
    np.testing.assert_array_equal(found, np.swapaxes(x, 1, 2))


@pytest.mark.parametrize("shape", [(3, 129, 260), (1, 1000, 24), (70, 16, 16)], ids=str)
def test_value_and_gradients(shape):
    agree(lambda x: transposed(x, (0, 2, 1)), normal(*shape))
    x = normal(*shape)
    with native.kernels("native"):
        back = jax.jit(jax.grad(lambda x: jnp.sum(jnp.sin(transposed(x, (0, 2, 1))))))
        assert back.lower(x).as_text().count("slipstream_transpose") >= 2  # the gradient as well
        steeper = jax.jit(jax.grad(lambda x: jnp.sum(back(x) ** 2)))(x)
    wanted = -np.sin(2 * np.asarray(x, "d"))
    np.testing.assert_allclose(back(x), np.cos(x), atol=1e-6)
    np.testing.assert_allclose(steeper, wanted, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 3, 4, 1), (2, 1, 3, 4)], ids=str)
def test_every_order_of_four_axes(shape):
    x = normal(*shape)
    for axes in permutations(range(4)):
        found = lowered(x, axes).compile()(x)
        np.testing.assert_array_equal(found, np.transpose(x, axes))


@pytest.mark.parametrize(
    ("axes", "taken"),
    [
        ((0, 2, 3, 1), True),  # channels go last
        ((0, 3, 1, 2), True),  # and first
        ((2, 3, 0, 1), True),
        ((0, 1, 3, 2), True),
        ((0, 2, 1, 3), False),  # rows are moved whole, which XLA does well
        ((0, 3, 2, 1), False),
        ((0, 1, 2, 3), False),
    ],
    ids=str,
)
def test_orders_that_exchange_two_runs_of_axes_are_taken(axes, taken):
    assert ("slipstream_transpose" in lowered(normal(2, 3, 4, 5), axes).as_text()) == taken


def test_other_types_and_few_numbers_take_the_reference(monkeypatch):
    for dtype in ("bfloat16", "int32"):
        assert "slipstream_" not in lowered(jnp.zeros((2, 20, 30), dtype), (0, 2, 1)).as_text()
    monkeypatch.setattr(transposing, "_FEWEST", 8)
    assert "slipstream_" not in lowered(normal(2, 20, 3), (0, 2, 1)).as_text()


def test_nothing_of_no_size():
    assert transposed(jnp.zeros((0, 3, 4)), (0, 2, 1)).shape == (0, 4, 3)


def test_batched():
    x = normal(2, 3, 20, 30)
    found = jax.vmap(lambda x: transposed(x, (0, 2, 1)))(x)
    np.testing.assert_array_equal(found, np.swapaxes(x, 2, 3))


def test_the_layer_has_it():
    layer = layers.Permute((2, 1))
    text = jax.jit(layer).lower(jnp.zeros((4, 64, 100))).as_text()
    assert "slipstream_transpose" in text


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))
