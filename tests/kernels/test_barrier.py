"""Gradients that wait for each other, so that weights are overwritten where they lie."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from slipstream.kernels import barrier, native
from slipstream.kernels.barrier import all_computed
from tests.kernels.native_cases import needs_native, normal


@pytest.fixture(autouse=True)
def few_ones_too(monkeypatch):
    monkeypatch.setattr(barrier, "_MANY", 0)


def test_arrays_pass_as_they_are():
    arrays = [normal(3, 4), normal(5, seed=1, dtype="bfloat16"), jnp.arange(4), jnp.float32(2)]
    for form in ("native", "reference"):
        with native.kernels(form):
            for found in (all_computed(arrays), jax.jit(all_computed)(arrays)):
                for one, other in zip(found, arrays):
                    assert one.dtype == other.dtype
                    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


def test_few_numbers_do_not_wait(monkeypatch):
    monkeypatch.setattr(barrier, "_MANY", 13)
    arrays = [normal(3, 4)]
    assert all_computed(arrays)[0] is arrays[0]
    assert all_computed([]) == []


def test_what_waits_can_be_differentiated_and_batched():
    x, y = normal(6, 3), normal(6, 3, seed=1)

    def total(x, y):
        one, other = all_computed([x * y, x])
        return (one * other).sum()

    np.testing.assert_allclose(jax.grad(total)(x, y), 2 * x * y, 1e-5)
    np.testing.assert_allclose(jax.jit(jax.vmap(total))(x, y), (x * x * y).sum(1), 1e-5)


def _copies(wait) -> int:
    """Copies of matrices in a loop whose steps read three weights in both directions."""

    def step(weights, x):
        def loss(weights):
            hidden = x
            for weight in weights:
                hidden = jnp.tanh(hidden @ weight)
            return (hidden**2).sum()

        gradients = wait(jax.grad(loss)(weights))
        return [w - 0.1 * g for w, g in zip(weights, gradients)], None

    weights = [normal(64, 64, seed=i) for i in range(3)]
    run = jax.jit(lambda weights, xs: lax.scan(step, weights, xs)[0])
    text = run.lower(weights, normal(5, 8, 64, seed=9)).compile().as_text()
    return len(re.findall(r"f32\[64,64\]\S* copy\(", text))


@needs_native
def test_weights_are_not_copied():
    before_the_loop = 3  # the arguments are the caller's
    assert _copies(list) > before_the_loop
    assert _copies(all_computed) <= before_the_loop
