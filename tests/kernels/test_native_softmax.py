"""The compiled softmax and cross-entropies against the reference, values and all gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.kernels.cross_entropy import entropy, label_entropy
from slipstream.kernels.softmax import softmax

pytestmark = needs_native

DTYPES = ["float32", "bfloat16"]
SHAPES = [(1, 1), (7, 16), (3, 3, 5), (9, 63), (65, 33), (3, 1000), (5, 2500)]


def labels_of(*shape, classes):
    """Some of them, the first among them, are no class."""
    labels = np.random.default_rng(5).integers(-1, classes + 1, shape)
    labels.flat[0] = -1
    return jnp.asarray(labels, "int32")


def targets_of(*shape, dtype="float32"):
    return jax.nn.softmax(normal(*shape, seed=6)).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_the_reference_s(shape, dtype):
    x = 3 * normal(*shape, dtype=dtype)
    # The reference adds up halves in halves.
    agree(softmax, x, tolerance=0.06 if dtype == "bfloat16" else None)
    labels = labels_of(*shape[:-1], classes=shape[-1])
    agree(label_entropy, x, labels)
    agree(lambda x, t: entropy(x, t), x, targets_of(*shape, dtype=dtype))
    agree(lambda x, t: entropy(x, t, 0.1), x, targets_of(*shape, dtype=dtype))


@pytest.mark.parametrize("classes", [5, 40])
def test_extreme_logits(classes):
    # The rows: far from zero, one share that is all, impossible classes, not a number.
    x = normal(5, classes) * np.array([[1], [1], [1e4], [1], [1]], "f")
    x = (x + np.array([[1e4], [-1e4], [0], [0], [0]], "f")).at[3, 1:].set(-jnp.inf)
    x = x.at[4, 2].set(jnp.nan)
    labels = jnp.zeros(5, "int32").at[2].set(1)

    def every(x):
        shares = jax.jit(softmax)(x)
        entropies, back = jax.vjp(jax.jit(lambda x: label_entropy(x, labels)), x)
        return shares, entropies, back(jnp.ones(5))[0]

    shares, entropies, slopes = (np.asarray(each) for each in every(x))
    exact = np.asarray(x[:4], "d")
    exact = np.exp(exact - exact.max(1, keepdims=True))
    exact /= exact.sum(1, keepdims=True)
    np.testing.assert_allclose(shares[:4], exact, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(slopes[:4] + np.eye(classes)[labels[:4]], exact, atol=1e-6)
    np.testing.assert_allclose(entropies[[0, 1]], -np.log(exact[[0, 1], 0]), rtol=1e-5)
    assert entropies[3] == 0 and np.isnan(entropies[4]) and np.isnan(shares[4]).all()


def test_other_types_and_empty_arrays_take_the_reference():
    assert softmax(jnp.zeros((0, 4))).shape == (0, 4)
    assert label_entropy(jnp.zeros((0, 4)), jnp.zeros(0, "int32")).shape == (0,)
    assert entropy(jnp.zeros((2, 0, 4)), jnp.zeros((2, 0, 4))).shape == (2, 0)
    half = normal(3, 8, dtype="float16")
    assert softmax(half).dtype == "float16"
    assert label_entropy(half, jnp.zeros(3, "int32")).dtype == "float32"
    with jax.enable_x64(True):
        wide = entropy(np.ones((2, 4)), np.full((2, 4), 0.25))
        assert wide.dtype == "float64"
        np.testing.assert_allclose(wide, np.log(4), rtol=1e-14)


def test_second_derivatives_forward_mode_and_batches():
    x, labels, targets = normal(4, 6), labels_of(4, classes=6), targets_of(4, 6)

    def loss(x, targets):
        total = label_entropy(x, labels) * entropy(x, targets, 0.2)
        return (total * softmax(x)[:, 0]).sum()

    def penalty(x, targets):
        return sum((g**2).sum() for g in jax.grad(loss, (0, 1))(x, targets))

    agree(jax.grad(penalty, (0, 1)), x, targets, tolerance=1e-4, derived=True)
    agree(
        lambda x, t: jax.jvp(loss, (x, t), (x * x, t))[1], x, targets, tolerance=1e-4, derived=True
    )
    agree(jax.vmap(lambda x, label: softmax(x) * label_entropy(x, label)), x, labels, derived=True)


def test_each_run_gives_the_same_bits():
    x, labels = normal(999, 77), labels_of(999, classes=77)
    run = jax.jit(jax.value_and_grad(lambda x: (label_entropy(x, labels) * softmax(x)[:, 0]).sum()))
    first = jax.tree.map(np.asarray, run(x))
    for _ in range(5):
        assert all(map(np.array_equal, first, run(x)))


@settings(max_examples=8, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.integers(1, 90))
def test_any_shape(rows, classes):
    x = normal(rows, classes)
    agree(softmax, x)
    agree(label_entropy, x, labels_of(rows, classes=classes))


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))
