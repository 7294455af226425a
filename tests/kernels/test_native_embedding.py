"""The compiled gradient of looking rows up against the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.kernels.embedding import look_up

pytestmark = needs_native


def inside(rows, *shape):
    return jnp.asarray(np.random.default_rng(3).integers(-rows, rows, shape), "int32")


@pytest.mark.parametrize(
    ("rows", "features", "shape"),
    [(1, 1, (1,)), (5, 3, (2, 3)), (300, 33, (7, 20)), (9000, 64, (10,)), (40, 16, (3000,))],
)
def test_values_and_gradients_are_the_reference_s(rows, features, shape):
    agree(lambda table: look_up(table, inside(rows, *shape)), normal(rows, features))


def test_low_precision_is_summed_in_float32():
    indices = jnp.zeros(1000, "int32")
    run = jax.jit(jax.grad(lambda table: look_up(table, indices).astype("float32").sum()))
    slopes = run(normal(3, 20, dtype="bfloat16"))
    assert slopes.dtype == "bfloat16"
    np.testing.assert_array_equal(slopes[0].astype("float32"), 1000)  # 256 + 1 is 256 in bfloat16
    assert not slopes[1:].any()


def test_indices_outside_of_the_table_have_no_gradient():
    indices = jnp.asarray([-4, -3, 2, 3, 2], "int32")
    outputs, back = jax.vjp(lambda table: look_up(table, indices), normal(3, 5))
    np.testing.assert_array_equal(np.isnan(outputs).all(1), [True, False, False, True, False])
    counts = back(jnp.ones((5, 5)))[0][:, 0]
    np.testing.assert_array_equal(counts, [1, 0, 2])


def test_no_indices_and_other_types_take_the_reference():
    table = normal(3, 4)
    none = jax.grad(lambda table: look_up(table, jnp.zeros((0, 2), "int32")).sum())(table)
    assert not none.any()
    agree(lambda table: look_up(table, jnp.asarray([1, 1, 2], "uint8")), table, derived=True)


def test_second_derivatives_and_batches():
    table, indices = normal(7, 5), inside(7, 4)

    def penalty(table):
        return (jax.grad(lambda t: jnp.sin(look_up(t, indices)).sum())(table) ** 2).sum()

    agree(jax.grad(penalty), table, derived=True)
    agree(jax.vmap(lambda row: look_up(row[None], indices * 0)), table, derived=True)


def test_each_run_gives_the_same_bits():
    table, indices = normal(3000, 48), inside(3000, 5000)
    run = jax.jit(jax.grad(lambda table: jnp.sin(look_up(table, indices)).sum()))
    first = np.asarray(run(table))
    for _ in range(5):
        np.testing.assert_array_equal(run(table), first)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(1, 50), st.integers(1, 90))
def test_any_shape(rows, features, count):
    agree(lambda table: look_up(table, inside(rows, count)), normal(rows, features))


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))
