"""The compiled form of small dense layers in a row beside the reference."""

import gc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_cases import agree, name_of, needs_native, normal, others, passes_with, plain

from slipstream.core import cost
from slipstream.kernels import dense_chain as kernel
from slipstream.kernels import native

pytestmark = needs_native


def layers_of(sizes, biased):
    pairs = zip(sizes, sizes[1:], biased)
    return [
        (normal(i, o, seed=k) / i**0.5, normal(o, seed=k + 50) if bias else None)
        for k, (i, o, bias) in enumerate(pairs)
    ]


def chained(activations, biased):
    """The chain as a function of its input and all weights."""

    def function(x, *weights):
        rest = iter(weights)
        layers = [(next(rest), next(rest) if bias else None) for bias in biased]
        return kernel.dense_chain(x, layers, activations)

    return function


CASES = [
    (32, (100, 10, 20, 1), ("relu", "relu", "linear"), (True, True, True)),
    (1, (3, 1), ("linear",), (True,)),
    (5, (7, 33, 5), ("tanh", "sigmoid"), (False, True)),
    (97, (17, 64, 16, 40), ("sigmoid", "tanh", "relu"), (True, False, True)),
    (1000, (30, 100, 48, 3), ("linear", "relu", "tanh"), (True, True, False)),
    (9000, (30, 16, 8, 3), ("relu", "relu", "relu"), (True, True, True)),
]


@pytest.mark.parametrize(("rows", "sizes", "activations", "biased"), CASES, ids=str)
def test_value_and_gradients(rows, sizes, activations, biased):
    weights = [array for layer in layers_of(sizes, biased) for array in layer if array is not None]
    agree(chained(activations, biased), normal(rows, sizes[0]), *weights)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 250),
    st.lists(st.integers(1, 70), min_size=2, max_size=5),
    st.integers(0, 10**6),
)
def test_any_shape(rows, sizes, seed):
    draw = np.random.default_rng(seed)
    activations = [kernel.ACTIVATIONS[i] for i in draw.integers(0, 4, len(sizes) - 1)]
    biased = [bool(b) for b in draw.integers(0, 2, len(sizes) - 1)]
    weights = [array for layer in layers_of(sizes, biased) for array in layer if array is not None]
    # Sums over rows of terms near 1 may cancel out: 1e-6 of what is left is rounding in both forms.
    agree(chained(activations, biased), normal(rows, sizes[0]), *weights, least=0.1)


def test_it_runs_natively_and_gives_only_the_gradients_that_are_wanted():
    x, layers = normal(8, 5), layers_of((5, 4, 3), (True, True))

    def loss(x, layers):
        return kernel.dense_chain(x, layers, ("relu", "linear")).sum()

    def given(places):
        (call,) = [
            line
            for line in jax.jit(jax.grad(loss, places)).lower(x, layers).as_text().splitlines()
            if "slipstream_dense_chain_gradient" in line
        ]
        return call.rpartition("->")[2].strip()

    assert given(1) == "(tensor<39xf32>, tensor<0xf32>)"
    assert given((0, 1)) == "(tensor<39xf32>, tensor<8x5xf32>)"
    alone, both = jax.grad(loss, 1)(x, layers), jax.grad(loss, (0, 1))(x, layers)
    for one, other in zip(jax.tree.leaves(alone), jax.tree.leaves(both[1])):
        np.testing.assert_array_equal(one, other)


def test_gradients_against_finite_differences(rng):
    x, layers = normal(6, 5), layers_of((5, 7, 4), (True, True))
    with native.kernels("native"):
        gradient = jax.grad(
            lambda x, w: kernel.dense_chain(x, w, ("tanh", "sigmoid")).sum(), (0, 1)
        )(x, layers)
    arrays, places = jax.tree.flatten((x, layers))
    arrays = [np.asarray(array, "d") for array in arrays]

    def value(arrays):
        x, ((first, b), (second, c)) = jax.tree.unflatten(places, arrays)
        return (1 / (1 + np.exp(-(np.tanh(x @ first + b) @ second + c)))).sum()

    for place, found in enumerate(jax.tree.leaves(gradient)):
        for index in [tuple(rng.integers(0, n) for n in found.shape) for _ in range(5)]:
            ends = []
            for step in (1e-5, -1e-5):
                moved = [array.copy() for array in arrays]
                moved[place][index] += step
                ends.append(value(moved))
            np.testing.assert_allclose(found[index], (ends[0] - ends[1]) / 2e-5, atol=2e-5)


def test_not_a_number_and_infinities():
    x = normal(9, 20).at[4, 3].set(jnp.nan).at[5, 0].set(jnp.inf)
    y = kernel.dense_chain(x, layers_of((20, 17, 6), (True, True)), ("relu", "tanh"))
    assert np.isnan(y[4]).all() and np.isfinite(np.delete(np.asarray(y), [4, 5], 0)).all()


def test_it_repeats_bit_for_bit():
    weights = [a for layer in layers_of((30, 64, 32, 1), (True,) * 3) for a in layer]
    function = chained(("relu", "relu", "linear"), (True,) * 3)
    program = jax.jit(jax.grad(lambda x, *w: (function(x, *w) ** 2).sum(), tuple(range(7))))
    x = normal(3001, 30)
    first = [np.array(array) for array in program(x, *weights)]
    for _ in range(5):
        for one, other in zip(first, program(x, *weights)):
            np.testing.assert_array_equal(one, other)


def test_second_derivatives_and_batching():
    x, layers = normal(4, 3), layers_of((3, 5, 2), (True, False))

    def loss(x):
        return (kernel.dense_chain(x, layers, ("tanh", "linear")) ** 2).sum()

    def both(x, many):
        return jax.hessian(loss)(x), jax.vmap(jax.grad(loss))(many)

    found, wanted = (by(both)(x, normal(5, 4, 3)) for by in (jax.jit, plain))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)


def test_operations_are_counted():
    x, layers = normal(8, 5), layers_of((5, 4, 3), (True, True))

    def loss(layers):
        return kernel.dense_chain(x, layers, ("relu", "linear")).sum()

    flops = cost.count(jax.make_jaxpr(jax.grad(loss))(layers)).flops
    products = 2 * 8 * (5 * 4 + 4 * 3)
    assert products * 2 + 2 * 8 * 4 * 3 <= flops <= 1.5 * (2 * products + 2 * 8 * 4 * 3)


@pytest.mark.parametrize("last", kernel.LAST)
@pytest.mark.parametrize("rows", [1, 5, 97, 20_000])
def test_a_network_outside_of_programs(last, rows):
    sizes, activations = (12, 33, 20, 7), ("relu", "tanh", last)
    layers = [tuple(map(np.asarray, pair)) for pair in layers_of(sizes, (True,) * 3)]
    places = [array.ctypes.data for pair in layers for array in pair]
    network = kernel.Network(sizes, activations, places)
    x = np.asarray(normal(rows, 12))
    ends = "linear" if last == "softmax" else last
    wanted = plain(lambda x: kernel.dense_chain(x, layers, (*activations[:2], ends)))(x)
    wanted = jax.nn.softmax(wanted) if last == "softmax" else wanted
    np.testing.assert_allclose(network(x), wanted, rtol=2e-5, atol=2e-6)
    np.testing.assert_array_equal(network(x), network(x))


def test_a_network_keeps_its_weights_and_gives_its_memory_back():
    layers = [tuple(map(np.array, pair)) for pair in layers_of((4, 3), (True,))]
    network = kernel.Network((4, 3), ("linear",), [array.ctypes.data for array in layers[0]])
    x = np.asarray(normal(2, 4))
    before = network(x)
    layers[0][0][:] = 0
    np.testing.assert_array_equal(network(x), before)
    del network
    gc.collect()


@pytest.mark.parametrize("which", others())
def test_other_libraries(which):
    passes_with(which, name_of(__file__))
