"""The compiled normalizations against the reference, values and all gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.kernels.normalization import batch_norm, group_norm, layer_norm

pytestmark = needs_native

DTYPES = ["float32", "bfloat16"]


def constants(size):
    return normal(size, seed=1), normal(size, seed=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 16), (5, 4, 63), (33, 64), (3, 1000), (600, 257)])
def test_rows(shape, dtype):
    x, axes = 1 + normal(*shape, dtype=dtype), (len(shape) - 1,)
    agree(lambda x, a, b: layer_norm(x, axes, a, b, 0.1), x, *constants(shape[-1]))
    agree(lambda x, a: layer_norm(x, axes, a, None, 0.1, centred=False), x, normal(shape[-1]))


def test_rows_of_several_axes_and_no_constants():
    x = normal(5, 3, 4, 7)
    agree(lambda x: layer_norm(x, (2, 3)), x)
    agree(lambda x: layer_norm(x, (1, 3)), x, derived=True)  # has no form of ours


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "groups"),
    [
        ((1, 1, 1), 1),
        ((2, 50, 3), 1),
        ((2, 50, 3), 3),
        ((3, 70, 66), 11),
        ((20, 9, 80), 80),
        ((4, 9, 5, 32), 8),
        ((2, 5000, 16), 4),
    ],
)
def test_groups(shape, groups, dtype):
    x = 1 + normal(*shape, dtype=dtype)
    agree(lambda x, a, b: group_norm(x, groups, a, b, 0.1), x, *constants(shape[-1]))


@pytest.mark.parametrize(
    ("shape", "counted", "dtype"),
    [
        ((1, 1), "all", "float32"),
        ((50, 3), "none", "float32"),
        ((50, 3), "rows", "bfloat16"),
        ((3, 7, 5, 13), "all", "bfloat16"),
        ((3, 7, 5, 13), "rows", "float32"),
        ((3, 7, 5, 13), "places", "float32"),
        ((257, 64), "all", "float32"),
        ((257, 64), "places", "bfloat16"),
        ((3001, 100), "all", "bfloat16"),
        ((3001, 100), "places", "float32"),
    ],
)
def test_batches(shape, counted, dtype):
    x = 1 + normal(*shape, dtype=dtype)
    size = {"rows": (shape[0], *(1 for _ in shape[1:])), "places": (*shape[:-1], 1)}.get(counted)
    marks = None
    if counted == "none":
        marks = jnp.zeros((shape[0], *(1 for _ in shape[1:])), bool)
    elif size is not None:
        marks = normal(*size, seed=3) > -0.5
        marks = marks.at[0].set(True)
    agree(lambda x, a, b: batch_norm(x, a, b, 0.1, marks), x, *constants(shape[-1]))


def test_marks_of_inner_axes():
    x = normal(4, 6, 5, 3)
    agree(lambda x: batch_norm(x, counted=normal(1, 6, 1, 1, seed=4) > 0), x)


def test_numbers_far_from_zero_keep_their_variance():
    x = (np.random.default_rng(0).normal(size=(40_000, 3)) + 1e3).astype("f")
    _, mean, variance = jax.jit(batch_norm)(x)
    np.testing.assert_allclose(mean, x.mean(0, "d"), rtol=1e-6)
    np.testing.assert_allclose(variance, x.var(0, "d"), rtol=1e-3)
    rows = jax.jit(lambda x: layer_norm(x, (1,)))(x.T)
    wanted = (x.T - x.mean(0, "d")[:, None]) / np.sqrt(x.var(0, "d") + 1e-3)[:, None]
    np.testing.assert_allclose(rows, wanted, atol=2e-3)


def test_empty_arrays_and_other_floats_take_the_reference():
    assert layer_norm(jnp.zeros((0, 4)), (1,)).shape == (0, 4)
    assert group_norm(jnp.zeros((0, 3, 4)), 2).shape == (0, 3, 4)
    assert batch_norm(jnp.zeros((0, 4)))[0].shape == (0, 4)
    y = layer_norm(normal(3, 8, dtype="float16"), (1,))
    assert y.dtype == "float16"
    np.testing.assert_allclose(np.asarray(y, "f").mean(1), 0, atol=1e-3)


def test_second_derivatives_forward_mode_and_batches():
    x, scale, offset = normal(6, 5), *constants(5)

    def loss(x, scale, offset):
        total = jnp.sin(layer_norm(x, (1,), scale, offset)).sum()
        return total + jnp.sin(batch_norm(x, scale, offset)[0]).sum()

    def penalty(*arrays):
        return sum((g**2).sum() for g in jax.grad(loss, (0, 1, 2))(*arrays))

    agree(jax.grad(penalty, (0, 1, 2)), x, scale, offset, tolerance=1e-4, derived=True)
    agree(
        lambda x: jax.jvp(loss, (x, scale, offset), (x * x, scale, x[0]))[1],
        x,
        tolerance=1e-4,
        derived=True,
    )
    agree(jax.vmap(lambda x: layer_norm(x[None], (1,))), x, derived=True)


def test_each_run_gives_the_same_bits():
    x, (scale, offset) = normal(5003, 48), constants(48)

    @jax.jit
    def run(x, scale, offset):
        def loss(x, scale, offset):
            both = layer_norm(x, (1,), scale, offset) * batch_norm(x, scale, offset)[0]
            return (both**2).sum()

        return jax.value_and_grad(loss, (0, 1, 2))(x, scale, offset)

    first = jax.tree.map(np.asarray, run(x, scale, offset))
    for _ in range(5):
        assert all(map(np.array_equal, *map(jax.tree.leaves, (first, run(x, scale, offset)))))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 90), st.integers(1, 4), st.integers(1, 40))
def test_any_shape(examples, positions, groups, members):
    x, (scale, offset) = normal(examples, positions, groups * members), constants(groups * members)
    # An epsilon at which groups of one number have gradients that are more than rounding errors.
    agree(lambda x, a, b: group_norm(x, groups, a, b, 1.0), x, scale, offset)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))
