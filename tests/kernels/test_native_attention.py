"""The compiled attention beside its reference: value, gradients, masks, odd shapes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream.kernels.attention import attend

pytestmark = needs_native
# batch, queries, keys, heads, key heads, features, value features
SHAPES = [
    (1, 1, 1, 1, 1, 1, 1),
    (2, 7, 5, 3, 3, 4, 9),
    (2, 33, 40, 4, 2, 17, 17),
    (1, 130, 67, 2, 1, 32, 33),
    (3, 12, 12, 2, 2, 64, 8),
    (1, 300, 300, 1, 1, 16, 16),
]


def arrays(shape, dtype="float32"):
    batch, queries, keys, heads, groups, features, values = shape
    return (
        normal(batch, queries, heads, features, seed=1, dtype=dtype),
        normal(batch, keys, groups, features, seed=2, dtype=dtype),
        normal(batch, keys, groups, values, seed=3, dtype=dtype),
    )


def drawn(*shape, seed=5, share=0.6):
    return jnp.asarray(np.random.default_rng(seed).random(shape) < share)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradients(shape, causal, dtype):
    agree(lambda q, k, v: attend(q, k, v, causal=causal), *arrays(shape, dtype))


@pytest.mark.parametrize("empty", ["mean", "zero"])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("broad", ["all", "heads", "queries", "keys", "padding"])
def test_masks(broad, causal, empty):
    batch, queries, keys, heads = 2, 37, 45, 4
    sizes = {
        "all": (batch, heads, queries, keys),
        "heads": (batch, 1, queries, keys),
        "queries": (batch, heads, 1, keys),
        "keys": (batch, heads, queries, 1),
        "padding": (1, keys),
    }[broad]
    # The key-less mask hides all keys of many a query; those of the others are a few.
    mask = drawn(*sizes, share=0.5 if broad == "keys" else 0.3)
    q, k, v = arrays((batch, queries, keys, heads, 2, 16, 16))
    agree(lambda q, k, v: attend(q, k, v, mask=mask, causal=causal, empty=empty), q, k, v)


def test_large_logits_and_another_scale():
    q, k, v = arrays((2, 20, 30, 2, 2, 8, 8))
    agree(lambda q, k, v: attend(60 * q, k, v, scale=0.7), q, k, v, tolerance=2e-4)
    agree(lambda q, k, v: attend(q, k, v, scale=0.01), q, k, v)


def test_second_derivatives_and_batching():
    q, k, v = arrays((1, 6, 5, 2, 1, 4, 4))

    def cost(q):
        return jnp.sum(jnp.sin(attend(q, k, v, causal=True)))

    def both():
        steep = jax.jvp(jax.grad(cost), (q,), (jnp.cos(q),))[1]
        return steep, jax.vmap(lambda q: attend(q, k, v))(jnp.stack([q, 2 * q]))

    for ours, theirs in zip(jax.jit(both)(), plain(both)(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_results_repeat_bit_for_bit():
    q, k, v = arrays((2, 150, 150, 4, 2, 32, 32))
    run = jax.jit(jax.grad(lambda *a: jnp.sum(jnp.sin(attend(*a, causal=True))), (0, 1, 2)))
    first = run(q, k, v)
    for _ in range(3):
        for one, other in zip(first, run(q, k, v), strict=True):
            assert np.array_equal(one, other)


@settings(max_examples=12, deadline=None)
@given(st.data())
def test_any_shape(data):
    size = st.integers(2, 41)  # with one key alone gradients are zero, give or take rounding
    groups = data.draw(st.integers(1, 3))
    heads = groups * data.draw(st.integers(1, 2))
    shape = (1, data.draw(size), data.draw(size), heads, groups, data.draw(size), data.draw(size))
    q, k, v = arrays(shape)
    causal = data.draw(st.booleans())
    mask = drawn(shape[1], shape[2]) if data.draw(st.booleans()) else None
    agree(lambda q, k, v: attend(q, k, v, mask=mask, causal=causal), q, k, v)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_other_libraries(library):
    passes_with(library, name_of(__file__))
