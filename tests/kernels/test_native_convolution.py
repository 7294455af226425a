"""The compiled convolutions against the reference, values and both gradients."""

import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.kernels import native
from slipstream.kernels.convolution import convolve, convolve_transpose

pytestmark = needs_native

# input, kernel, strides, padding, dilation, groups
CASES = {
    "one channel": ((2, 28, 28, 1), (3, 3, 1, 32), (1, 1), "valid", (1, 1), 1),
    "odd sizes": ((3, 9, 11, 3), (3, 3, 3, 20), (1, 1), "same", (1, 1), 1),
    "few filters": ((2, 9, 11, 32), (3, 3, 32, 3), (1, 1), "same", (1, 1), 1),
    "strides": ((3, 7, 7, 24), (3, 3, 24, 40), (2, 2), "same", (1, 1), 1),
    "many small images": ((40, 5, 5, 16), (3, 3, 16, 24), (2, 2), "valid", (1, 1), 1),
    "stride past the kernel": ((2, 9, 9, 5), (2, 2, 5, 7), (4, 3), "same", (1, 1), 1),
    "kernel past the input": ((1, 2, 2, 3), (5, 5, 3, 2), (1, 1), "same", (1, 1), 1),
    "dilation": ((2, 12, 11, 6), (3, 3, 6, 9), (1, 1), "same", (2, 3), 1),
    "strides and dilation": ((2, 11, 12, 6), (3, 2, 6, 9), (2, 3), "valid", (3, 2), 1),
    "groups": ((2, 9, 9, 12), (3, 3, 3, 20), (2, 1), "same", (1, 1), 4),
    "single positions": ((2, 9, 9, 12), (1, 1, 12, 33), (2, 2), "valid", (1, 1), 1),
    "sequences": ((3, 50, 5), (7, 5, 18), (2,), "causal", (1,), 1),
    "volumes": ((2, 5, 6, 7, 4), (3, 2, 3, 4, 5), (2, 1, 3), "same", (1, 1, 1), 1),
    "wide rows in blocks": ((1, 70, 90, 17), (3, 3, 17, 16), (1, 1), "same", (1, 1), 1),
    "size one": ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), "same", (1, 1), 1),
}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_the_reference_s(case, dtype):
    shape, window, strides, padding, dilation, groups = CASES[case]
    x, kernel = normal(*shape, dtype=dtype), normal(*window, seed=1, dtype=dtype)
    agree(lambda x, k: convolve(x, k, strides, padding, dilation, groups), x, kernel)


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 3)])
def test_transposed_values_and_gradients_are_the_reference_s(strides, padding):
    x, kernel = normal(2, 5, 6, 7), normal(3, 2, 9, 7, seed=1)
    agree(lambda x, k: convolve_transpose(x, k, strides, padding), x, kernel)
    agree(lambda x, k: convolve_transpose(x, k, strides, padding, None, (0, 0)), x, kernel)


def test_channels_first():
    x, kernel = normal(2, 5, 8, 9), normal(3, 3, 5, 6, seed=1)
    agree(lambda x, k: convolve(x, k, (1, 2), "same", channels_last=False), x, kernel)


def test_an_empty_batch_and_other_floats_take_the_reference():
    empty = convolve(jnp.zeros((0, 5, 5, 2)), normal(3, 3, 2, 4), (1, 1))
    assert empty.shape == (0, 3, 3, 4)
    x, kernel = normal(1, 5, 5, 2, dtype="float16"), normal(3, 3, 2, 4, dtype="float16")
    y = convolve(x, kernel, (1, 1))
    assert y.dtype == "float16"
    wide = convolve(x.astype("float32"), kernel.astype("float32"), (1, 1))
    np.testing.assert_allclose(np.asarray(y, "f"), wide, atol=0.05)


def test_second_derivatives_and_forward_mode():
    x, kernel = normal(2, 6, 5, 3), normal(3, 2, 3, 4, seed=1)

    def loss(x, kernel):
        return jnp.sin(convolve(x, kernel, (2, 1), "same")).sum()

    def penalty(x, kernel):
        return sum((g**2).sum() for g in jax.grad(loss, (0, 1))(x, kernel))

    agree(jax.grad(penalty, (0, 1)), x, kernel, tolerance=1e-4, derived=True)
    agree(
        lambda x, k: jax.jvp(loss, (x, k), (k.sum() * x, k))[1],
        x,
        kernel,
        tolerance=1e-4,
        derived=True,
    )
    agree(jax.vmap(lambda x: convolve(x[None], kernel, (1, 1))), x, derived=True)


def test_each_run_gives_the_same_bits():
    x, kernel = normal(13, 17, 19, 8), normal(3, 3, 8, 24, seed=1)
    run = jax.jit(
        jax.value_and_grad(lambda k, x: (convolve(x, k, (1, 1), "same") ** 2).sum(), (0, 1))
    )
    first = jax.tree.map(np.asarray, run(kernel, x))
    for _ in range(5):
        assert all(map(np.array_equal, *map(jax.tree.leaves, (first, run(kernel, x)))))


shapes = st.tuples(
    st.integers(1, 3),  # batch
    st.tuples(st.integers(1, 12), st.integers(1, 12)),  # sizes
    st.tuples(st.integers(1, 5), st.integers(1, 5)),  # window
    st.tuples(st.integers(1, 3), st.integers(1, 3)),  # strides
    st.tuples(st.integers(1, 3), st.integers(1, 3)),  # dilation
    st.sampled_from([1, 2, 3]),  # groups
    st.integers(1, 9),  # channels of a group
    st.integers(1, 19),  # filters of a group
    st.sampled_from(["same", "valid"]),
)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(shapes)
def test_any_geometry(drawn):
    batch, sizes, window, strides, dilation, groups, channels, filters, padding = drawn
    if padding == "valid":
        sizes = tuple(n + (k - 1) * d for n, k, d in zip(sizes, window, dilation))
    x = normal(batch, *sizes, channels * groups)
    kernel = normal(*window, channels, filters * groups, seed=1)
    agree(lambda x, k: convolve(x, k, strides, padding, dilation, groups), x, kernel)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    st.tuples(st.integers(4, 11), st.integers(4, 11)),
    st.integers(16, 37),
    st.integers(16, 37),
    st.sampled_from(["same", "valid"]),
    st.sampled_from(["float32", "bfloat16"]),
)
def test_many_positions_of_three_by_three_take_fewer_products(
    sizes, channels, filters, padding, dtype
):
    """Transforms of tiles (native/winograd.h), whatever is left over at the edges."""
    if padding == "valid":
        sizes = tuple(n + 2 for n in sizes)
    tiles = int(np.prod([(n + 1) // 2 for n in sizes]))
    x = normal(-(-96 // tiles), *sizes, channels, dtype=dtype)
    kernel = normal(3, 3, channels, filters, seed=1, dtype=dtype)
    agree(lambda x, k: convolve(x, k, (1, 1), padding), x, kernel)


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))


@pytest.mark.long
def test_no_shape_is_a_cliff():
    """Random shapes, value and gradients: nowhere much slower than the reference."""
    generator = np.random.default_rng(0)

    def ratio(ours, theirs, *arrays):
        """Of the shortest times, in turn: a busy machine takes from both what it takes from one."""
        times = {ours: [], theirs: []}
        for _ in range(8):
            for run, found in times.items():
                began = time.perf_counter()
                jax.block_until_ready(run(*arrays))
                found.append(time.perf_counter() - began)
        return min(times[ours][1:]) / min(times[theirs][1:])

    slowest = (0.0, None)
    for _ in range(40):
        size, window = int(generator.integers(4, 40)), int(generator.integers(1, 6))
        channels, filters = (int(2 ** generator.uniform(0, 7)) for _ in range(2))
        batch, stride = int(generator.integers(1, 33)), int(generator.integers(1, 3))
        x, kernel = normal(batch, size, size, channels), normal(window, window, channels, filters)

        def both(x, kernel, stride=stride):
            y, back = jax.vjp(lambda x, k: convolve(x, k, (stride, stride), "same"), x, kernel)
            return y, back(y)

        runs = []
        for forms in ("native", "reference"):
            with native.kernels(forms):
                runs.append(jax.jit(both).lower(x, kernel).compile())
        # A cliff is one each time.
        found = min(ratio(*runs, x, kernel) for _ in range(3))
        slowest = max(slowest, (found, (x.shape, kernel.shape, stride)))
    print("slowest against the reference:", slowest)
    assert slowest[0] < 1.5, slowest
