"""The compiled depthwise convolution against its reference, value and gradients."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import plain

from slipstream.kernels import native
from slipstream.kernels.convolution import depthwise

pytestmark = pytest.mark.skipif(not native.runnable(), reason="no compiled kernels here")

# shape, window, strides, dilation, multiplier, padding
CASES = [
    ((2, 6, 7, 16), (3, 3), (1, 1), (1, 1), 1, "same"),
    ((2, 9, 8, 37), (3, 2), (2, 2), (1, 1), 1, "same"),
    ((1, 7, 12, 8), (2, 3), (1, 1), (2, 1), 1, "valid"),
    ((2, 20, 9), (9,), (1,), (1,), 1, "same"),
    ((2, 23, 3), (4,), (3,), (1,), 1, "same"),
    ((2, 5, 11, 1), (3, 3), (2, 2), (1, 1), 1, "same"),
    ((1, 8, 19, 3), (3, 3), (1, 1), (1, 1), 1, "valid"),
    ((2, 6, 5, 3), (3, 3), (2, 1), (1, 1), 2, "same"),
    ((1, 5, 6, 17), (2, 2), (1, 2), (1, 1), 3, "valid"),
    ((1, 4, 5, 6, 5), (3, 2, 2), (2, 1, 1), (1, 1, 1), 1, "same"),
    # A stride that skips positions, a window wider than the input, one position.
    ((1, 9, 9, 32), (2, 2), (3, 4), (1, 1), 1, "valid"),
    ((1, 2, 3, 4), (5, 7), (1, 1), (1, 2), 1, "same"),
    ((1, 1, 1, 1), (1, 1), (1, 1), (1, 1), 1, "valid"),
]


def data(shape, dtype, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape).astype("f"), dtype)


def all_of(shape, window, strides, dilation, multiplier, padding, dtype, by=jax.jit):
    """Value, and both gradients along one random direction."""
    x, kernel = data(shape, dtype), data((*window, shape[-1], multiplier), dtype, 1)

    def apply(x, kernel):
        return depthwise(x, kernel, strides, padding, dilation)

    wanted = jax.eval_shape(apply, x, kernel).shape
    dy = data(wanted, dtype, 2)

    def run(x, kernel, dy):
        y, back = jax.vjp(apply, x, kernel)
        return y, *back(dy)

    return by(run)(x, kernel, dy)


def compare(got, wanted, dtype):
    rtol = 2e-5 if dtype == "float32" else 2e-2
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.dtype == theirs.dtype
        mine, theirs = np.asarray(mine, "f"), np.asarray(theirs, "f")
        np.testing.assert_allclose(mine, theirs, rtol, rtol * (1 + np.abs(theirs).max()))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case[:2])))
def test_value_and_gradients(case, dtype):
    got = all_of(*case, dtype)
    wanted = all_of(*case, "float32", by=plain)
    compare(got, [w.astype(dtype) for w in wanted], dtype)


def test_the_compiled_form_is_what_runs():
    def program():
        x, kernel = jnp.zeros((1, 5, 5, 8)), jnp.zeros((3, 3, 8, 1))
        slopes = jax.grad(lambda *both: depthwise(*both, (1, 1), "same").sum(), (0, 1))
        return jax.jit(slopes).lower(x, kernel).as_text()

    found = program()
    assert "slipstream_depthwise_input_gradient" in found
    assert "slipstream_depthwise_kernel_gradient" in found
    with native.kernels("reference"):
        assert "slipstream_" not in program()


def test_second_derivatives():
    x, kernel = data((1, 5, 4, 9), "float32"), data((3, 2, 9, 1), "float32", 1)

    def curve(by=jax.jit):
        def total(x, kernel):
            return jnp.sum(depthwise(x, kernel, (2, 1), "same") ** 3)

        slope = jax.grad(total, (0, 1))
        return by(lambda *both: jax.jvp(slope, both, both)[1])(x, kernel)

    got = curve()
    for mine, theirs in zip(got, curve(plain), strict=True):
        np.testing.assert_allclose(mine, theirs, 1e-4, 1e-4)


def test_results_repeat_bit_for_bit():
    case = ((8, 33, 31, 24), (3, 3), (1, 1), (1, 1), 1, "same", "float32")
    for one, other in zip(all_of(*case), all_of(*case), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=10, deadline=None)
@given(
    size=st.integers(1, 20),
    window=st.integers(1, 5),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 3),
    channels=st.sampled_from([1, 3, 8, 19, 32]),
    multiplier=st.integers(1, 2),
)
def test_any_sizes(size, window, stride, dilation, channels, multiplier):
    if stride > 1:
        dilation = 1
    geometry = ((window,), (stride,), (dilation,), multiplier, "same", "float32")
    got = all_of((2, size, channels), *geometry)
    wanted = all_of((2, size, channels), *geometry, by=plain)
    compare(got, wanted, "float32")


@pytest.mark.long
@pytest.mark.parametrize("library", native.runnable()[1:])
def test_other_libraries(library):
    """The slower libraries that this processor runs too, in a process of their own."""
    files = [__file__, __file__.replace("depthwise", "pooling")]
    chosen = ["-k", "value_and_gradient and float32", "-p", "no:cacheprovider"]
    found = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files, *chosen],
        env={**os.environ, "SLIPSTREAM_KERNELS": library},
        capture_output=True,
        text=True,
    )
    assert found.returncode == 0, found.stdout[-3000:]
