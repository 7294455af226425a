"""The compiled step of Adam against the reference, and what of a program gets it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import needs_native, normal, others, passes_with

from slipstream import optimizers
from slipstream.kernels import adam as kernel
from slipstream.kernels import native

pytestmark = needs_native
HOW = {"share_1": 0.1, "share_2": 0.001, "epsilon": 1e-7}


def operands(*shape):
    param, grad, momentum, velocity = (normal(*shape, seed=seed) for seed in range(4))
    return param, grad, momentum, jnp.abs(velocity), jnp.float32(0.003)


@pytest.mark.parametrize("shape", [(1,), (), (3, 5), (16,), (2, 33, 7), (65, 1000), (600, 700)])
def test_values(shape):
    given = operands(*shape)
    program = jax.jit(lambda *arrays: kernel.adam(*arrays, **HOW))
    assert "slipstream_adam" in program.lower(*given).as_text()
    with native.fresh_programs("reference"):
        wanted = jax.jit(lambda *arrays: kernel.adam(*arrays, **HOW))(*given)
    for one, other in zip(program(*given), wanted):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-7)


def test_a_nan_and_an_infinity_pass_through():
    param, grad, *rest = operands(40)
    grad = grad.at[3].set(jnp.nan).at[17].set(jnp.inf)
    param, momentum, velocity = jax.jit(lambda *a: kernel.adam(*a, **HOW))(param, grad, *rest)
    assert np.flatnonzero(~np.isfinite(param)).tolist() == [3, 17]
    assert np.isposinf(momentum[17]) and np.isposinf(velocity[17])


def test_operands_that_are_not_given_up_stay():
    given = operands(512, 600)
    before = [np.array(array) for array in given]
    jax.jit(lambda *arrays: kernel.adam(*arrays, **HOW))(*given)
    for array, kept in zip(given, before):
        np.testing.assert_array_equal(array, kept)


def test_it_repeats_bit_for_bit():
    given = operands(1024, 1025)
    program = jax.jit(lambda *arrays: kernel.adam(*arrays, **HOW))
    first = [np.array(array) for array in program(*given)]
    for _ in range(3):
        for one, other in zip(first, program(*given)):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("rule", "taken"),
    [
        (optimizers.Adam(), True),
        (optimizers.AdamW(), True),
        (optimizers.Adam(amsgrad=True), False),
        (optimizers.SGD(), False),
    ],
)
@pytest.mark.parametrize(("rows", "worth"), [(4, True), (400, False), (1024, True)])
def test_who_gets_it(rule, taken, rows, worth):
    weight = jnp.ones((rows, 300))
    slots = [{name: jnp.zeros_like(weight) for name in rule.slots}]

    def step(weight, slots):
        return rule.update_all([weight], [weight], slots, {}, jnp.int32(1), jnp.float32(0.1))

    found = "slipstream_adam" in jax.jit(step).lower(weight, slots).as_text()
    assert found == (taken and worth)


@pytest.mark.parametrize("which", others())
def test_other_libraries(which):
    passes_with(which, __file__)
