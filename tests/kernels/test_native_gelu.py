"""The compiled GELU and its slope against exact numbers and the reference."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with
from scipy.special import ndtr

from slipstream import ops
from slipstream.kernels import native
from slipstream.kernels.gelu import gelu

pytestmark = needs_native


def exact(x, approximate):
    """Value and slope in double precision."""
    x = np.asarray(x, "d")
    if approximate:
        a, b = np.sqrt(8 / np.pi), np.sqrt(8 / np.pi) * 0.044715
        part = 1 / (1 + np.exp(-x * (a + b * x * x)))
        return x * part, part + x * part * (1 - part) * (a + 3 * b * x * x)
    return x * ndtr(x), ndtr(x) + x * np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def value_and_slope(x, approximate):
    y, back = jax.vjp(jax.jit(lambda x: gelu(x, approximate)), x)
    return np.asarray(y), np.asarray(back(jnp.ones_like(x))[0])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("approximate", [False, True])
@pytest.mark.parametrize("shape", [(1,), (), (3, 5), (16,), (2, 33, 7), (65, 1000)])
def test_value_and_gradient(shape, approximate, dtype):
    agree(lambda x: gelu(x, approximate), 2 * normal(*shape, dtype=dtype))


def test_a_program_has_it():
    lowered = jax.jit(jax.grad(lambda x: ops.gelu(x, False).sum())).lower(jnp.ones((4, 8)))
    assert "slipstream_gelu_saving" in lowered.as_text()


@pytest.mark.parametrize("approximate", [False, True])
def test_it_is_exact_to_rounding(approximate):
    x = np.linspace(-10, 10, 400_001).astype("f")
    y, slope = value_and_slope(x, approximate)
    wanted, steepness = exact(x, approximate)
    np.testing.assert_allclose(y, wanted, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(slope, steepness, rtol=0, atol=1.5e-6 if approximate else 5e-7)
    if not approximate:  # the small numbers on the left have all their digits too
        left = (x < -1) & (x > -9)
        np.testing.assert_allclose(y[left], wanted[left], rtol=5e-6)


@pytest.mark.parametrize("approximate", [False, True])
def test_far_from_zero_and_not_a_number(approximate):
    x = jnp.asarray([np.inf, -np.inf, np.nan, 0.0, 3e38, -3e38, 1e-30], "float32")
    y, slope = value_and_slope(x, approximate)
    np.testing.assert_allclose(y, [np.inf, 0, np.nan, 0, 3e38, 0, 5e-31], rtol=1e-6, atol=1e-36)
    np.testing.assert_allclose(slope, [1, 0, np.nan, 0.5, 1, 0, 0.5], rtol=1e-6, atol=1e-30)


@pytest.mark.parametrize("approximate", [False, True])
def test_batched_looped_and_differentiated_twice(approximate):
    x = normal(3, 4, 19)

    def function(x):
        return gelu(x, approximate)

    wanted = exact(x, approximate)[0]
    np.testing.assert_allclose(jax.vmap(function)(x), wanted, rtol=1e-5, atol=1e-6)
    looped = jax.lax.scan(lambda total, each: (total, function(each)), 0, x)[1]
    np.testing.assert_allclose(looped, wanted, rtol=1e-5, atol=1e-6)

    def curve(x):
        slope = jax.grad(lambda x: jnp.sum(function(x) ** 2))
        return jax.jit(lambda x: jax.jvp(slope, (x,), (jnp.ones_like(x),))[1])(x)

    step = 1e-4
    one, other = (exact(np.asarray(x, "d") + each, approximate) for each in (step, -step))
    wanted = (2 * one[0] * one[1] - 2 * other[0] * other[1]) / (2 * step)
    np.testing.assert_allclose(curve(x), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("shape", "dtype"), [((0, 4), "float32"), ((3, 4), "float16")])
def test_what_it_does_not_know_takes_the_reference(shape, dtype):
    x = normal(*shape, dtype=dtype)
    function = jax.jit(lambda x: gelu(x, False))
    assert "slipstream_" not in function.lower(x).as_text()
    np.testing.assert_array_equal(function(x), jax.jit(lambda x: jax.nn.gelu(x, False))(x))


def test_a_switch_takes_the_reference():
    with native.kernels("reference"):
        lowered = jax.jit(lambda x: ops.gelu(x)).lower(jnp.ones(32))
    assert "slipstream_" not in lowered.as_text()


def test_parts_repeat_bit_for_bit():
    x = normal(301, 1003)
    for one, other in zip(value_and_slope(x, False), value_and_slope(x, False), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries(library):
    passes_with(library, f"{name_of(__file__)}::test_value_and_gradient")
