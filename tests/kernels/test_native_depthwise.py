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


def all_of(shape, window, strides, dilation, multiplier, padding, dtype):
    """Value, and both gradients along one random direction."""
    x, kernel = data(shape, dtype), data((*window, shape[-1], multiplier), dtype, 1)

    def apply(x, kernel):
        return depthwise(x, kernel, strides, padding, dilation)

    wanted = jax.eval_shape(apply, x, kernel).shape
    dy = data(wanted, dtype, 2)

    def run(x, kernel, dy):
        y, back = jax.vjp(apply, x, kernel)
        return y, *back(dy)

    return jax.jit(run)(x, kernel, dy)


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
    with native.kernels("reference"):
        wanted = all_of(*case, "float32" if dtype == "bfloat16" else dtype)
    compare(got, [w.astype(dtype) for w in wanted], dtype)
