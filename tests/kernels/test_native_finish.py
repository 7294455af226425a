"""Bias and ReLU inside the compiled convolutions against the reference, and what they depend on."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from native_cases import agree, name_of, needs_native, normal, others, passes_with

from slipstream.core import cost
from slipstream.kernels import dense, native
from slipstream.kernels.convolution import convolve, convolve_transpose, depthwise

pytestmark = needs_native

# function, input, kernel, filters
CASES = {
    "plain": (partial(convolve, strides=(1, 1)), (2, 7, 9, 5), (3, 3, 5, 20), 20),
    "tiles of 4 x 4": (
        partial(convolve, strides=(1, 1), padding="same"),
        (7, 9, 11, 16),
        (3, 3, 16, 21),
        21,
    ),
    "strides and groups": (
        partial(convolve, strides=(2, 3), padding="same", groups=3),
        (2, 7, 8, 6),
        (3, 2, 2, 36),
        36,
    ),
    "lines in the padding": (
        partial(convolve, strides=(1, 1), padding="same", dilation=(3, 2)),
        (1, 6, 17, 8),
        (5, 3, 8, 40),
        40,
    ),
    "planes in the padding": (
        partial(convolve, strides=(1, 1, 1), padding="same"),
        (1, 3, 4, 5, 4),
        (5, 3, 3, 4, 6),
        6,
    ),
    "a line that sees nothing": (
        lambda x, k, **end: convolve(x, k, (1,), "same", (9,), **end),
        (2, 3, 4),
        (2, 4, 5),
        5,
    ),
    "one position": (partial(convolve, strides=(1, 1)), (3, 5, 5, 6), (1, 1, 6, 9), 9),
    "transposed": (
        partial(convolve_transpose, strides=(2, 2), padding="same"),
        (2, 5, 6, 7),
        (4, 3, 9, 7),
        9,
    ),
    "transposed, with gaps": (
        partial(convolve_transpose, strides=(3, 4)),
        (2, 3, 4, 5),
        (2, 2, 7, 5),
        7,
    ),
    "depthwise": (
        partial(depthwise, strides=(1, 1), padding="same"),
        (2, 6, 12, 19),
        (3, 3, 19, 1),
        19,
    ),
    "depthwise, few channels": (
        partial(depthwise, strides=(2, 1), padding="same"),
        (2, 6, 13, 3),
        (3, 5, 3, 2),
        6,
    ),
    "channels first": (
        partial(convolve, strides=(1, 2), channels_last=False),
        (2, 5, 8, 9),
        (3, 3, 5, 6),
        6,
    ),
}


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_values_and_gradients_are_the_reference_s(case, relu):
    function, shape, window, filters = CASES[case]
    x, kernel, bias = normal(*shape), normal(*window, seed=1), normal(filters, seed=2)
    agree(lambda x, k, b: function(x, k, bias=b, relu=relu), x, kernel, bias)
    agree(lambda x, k: function(x, k, relu=relu), x, kernel)


SCALED = {name: case for name, case in CASES.items() if not name.startswith("transposed")}
SCALED["products"] = (lambda x, k, **end: convolve(x, k, (1,), **end), (3, 70, 33), (1, 33, 37), 37)
SCALED["a product of few rows"] = (
    lambda x, k, **end: convolve(x, k, (1,), **end), (1, 3, 65), (1, 65, 130), 130
)  # fmt: skip


@pytest.mark.parametrize("top", [-1.0, np.inf, 0.6])
@pytest.mark.parametrize("case", SCALED)
def test_scaled_sums_are_the_reference_s(case, top):
    function, shape, window, filters = SCALED[case]
    arrays = (normal(*shape), normal(*window, seed=1), *(normal(filters, seed=i) for i in (2, 3)))

    def scaled(x, kernel, scale, bias):
        return function(x, kernel, scale=scale, bias=bias, top=top)

    few = case in ("one position", "a product of few rows")  # which are XLA's
    agree(scaled, *arrays, derived=few)
    found = np.asarray(jax.jit(scaled)(*arrays))
    sums = np.asarray(jax.jit(function)(*arrays[:2]))
    axis = 1 if case == "channels first" else -1
    scale, bias = (np.expand_dims(each, [i for i in range(sums.ndim) if i != axis % sums.ndim])
                   for each in arrays[2:])  # fmt: skip
    wanted = sums * scale + bias
    wanted = np.clip(wanted, 0, top) if top > 0 else wanted
    np.testing.assert_allclose(found, wanted, atol=1e-5 * np.abs(sums).max())
    name = "slipstream_product" if few or case == "products" else "slipstream_"
    lowered = jax.jit(scaled).lower(*arrays).as_text()
    assert few or (name in lowered and "stablehlo.add" not in lowered)


def test_scaled_not_a_number_stays():
    x = jnp.zeros((1, 6, 6, 2)).at[0, 3, 3, 0].set(jnp.nan)
    y = convolve(x, normal(3, 3, 2, 4), (1, 1), "same",
                 scale=jnp.ones(4), bias=jnp.zeros(4), top=6.0)  # fmt: skip
    assert np.isnan(y[0, 2:5, 2:5]).all() and np.isnan(y).sum() == 9 * 4


@pytest.mark.parametrize("case", CASES)
def test_bfloat16(case):
    function, shape, window, filters = CASES[case]
    x, kernel, bias = (
        normal(*sizes, seed=i, dtype="bfloat16")
        for i, sizes in enumerate((shape, window, (filters,)))
    )
    agree(lambda x, k, b: function(x, k, bias=b), x, kernel, bias)
    with native.kernels("native"):
        finished = function(x, kernel, bias=bias, relu=True)
        sums = function(x, kernel, bias=bias)
    np.testing.assert_array_equal(finished, np.maximum(sums, 0))


def test_only_what_is_asked_for_is_computed():
    """The gradient for a first layer's input, and for a bias that is none, costs nothing."""
    x, kernel, bias = normal(2, 6, 6, 3), normal(3, 3, 3, 4, seed=1), normal(4, seed=2)

    def loss(kernel, bias):
        return (convolve(x, kernel, (1, 1), bias=bias, relu=True) ** 2).sum()

    found = str(jax.make_jaxpr(jax.grad(loss, (0, 1)))(kernel, bias))
    assert found.count("convolution_kernel_gradient[") == 1
    assert "convolution_input_gradient[" not in found
    assert " convolution[" not in found and found.count("finished_convolution[") == 1


def test_not_a_number_stays_and_padding_adds_none():
    x = jnp.zeros((1, 6, 6, 2)).at[0, 3, 3, 0].set(jnp.nan)
    kernel, bias = normal(3, 3, 2, 4), normal(4, seed=1)
    with native.kernels("native"):
        y = convolve(x, kernel, (1, 1), "same", bias=bias, relu=True)
    assert np.isnan(y[0, 2:5, 2:5]).all() and np.isnan(y).sum() == 9 * 4
    wild = kernel.at[0, 0, 0, 0].set(jnp.inf)
    with native.kernels("native"):
        y = convolve(jnp.ones((1, 1, 1, 2)), wild, (1, 1), "same", bias=bias)
    assert np.isfinite(y).all()  # the infinite weight meets nothing


def test_second_derivatives_forward_mode_and_batches():
    x, kernel, bias = normal(2, 6, 5, 3), normal(3, 2, 3, 4, seed=1), normal(4, seed=2)

    def loss(x, kernel, bias):
        return jnp.sin(convolve(x, kernel, (2, 1), "same", bias=bias, relu=True)).sum()

    def penalty(*arrays):
        return sum((g**2).sum() for g in jax.grad(loss, (0, 1, 2))(*arrays))

    agree(jax.grad(penalty, (0, 1, 2)), x, kernel, bias, tolerance=1e-4, derived=True)
    agree(lambda *a: jax.jvp(loss, a, a)[1], x, kernel, bias, tolerance=1e-4, derived=True)
    agree(
        jax.vmap(lambda x: convolve(x[None], kernel, (1, 1), bias=bias, relu=True)), x, derived=True
    )


@pytest.mark.long
@pytest.mark.parametrize("library", others())
def test_the_other_libraries_pass_too(library):
    passes_with(library, name_of(__file__))


@pytest.mark.parametrize("relu", [False, True])
def test_bias_and_relu_count_whichever_form_runs(relu):
    x, matrix, bias = normal(40, 30), normal(30, 20, seed=1), normal(20, seed=2)
    program = jax.make_jaxpr(lambda *given: dense.product(*given, relu))(x, matrix, bias)
    assert cost.count(program).flops == 2 * 40 * 30 * 20 + 40 * 20 * (1 + relu)
