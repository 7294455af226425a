"""Operations and bytes of programs, against counts by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from slipstream import layers
from slipstream.core.cost import LEVELS, NOTHING, Cost, count, largest, moved
from slipstream.kernels import native
from slipstream.models import Sequential

F = 4  # bytes of a float


def program(layer, *shapes):
    """The program of a layer's call on zeros."""
    arrays = [jnp.zeros(shape) for shape in shapes]
    layer(*arrays)
    weights = [v.value for v in layer.trainable_variables]
    others = [v.value for v in layer.non_trainable_variables]

    def run(weights, *arrays):
        return layer.stateless_call(weights, others, *arrays)[0]

    return jax.make_jaxpr(run)(weights, *arrays), sum(w.size for w in weights)


def test_a_multilayer_perceptron():
    stack = Sequential([layers.Dense(16, activation="relu"), layers.Dense(4)])
    found = count(program(stack, (32, 8))[0])
    products = 2 * 32 * 8 * 16 + 2 * 32 * 16 * 4
    biases_and_relu = 32 * 16 + 32 * 4 + 32 * 16
    assert found.flops == products + biases_and_relu
    weights = 8 * 16 + 16 + 16 * 4 + 4  # laid one after another, for one operation
    assert found.bytes == F * (weights + 32 * 8 + weights + 32 * 4)
    assert (found.convolutions, found.low, found.operations) == (0, 0, 1)


@pytest.mark.parametrize("which", ["reference", "native"])
@pytest.mark.parametrize(
    ("strides", "groups", "places"), [(1, 1, 6 * 6), (2, 1, 3 * 3), (1, 2, 6 * 6)]
)
def test_a_convolution(which, strides, groups, places):
    with native.kernels(which):
        layer = layers.Conv2D(6, 3, strides=strides, groups=groups, use_bias=False)
        found = count(program(layer, (2, 8, 8, 4))[0])
    assert found.flops == 2 * (2 * places * 6) * (3 * 3 * 4 // groups)
    assert found.bytes == F * (2 * 8 * 8 * 4 + 3 * 3 * 4 // groups * 6 + 2 * places * 6)
    assert found.operations == 1


def test_zeros_between_the_numbers_of_a_dilated_input_count_nothing():
    x, kernel = jnp.zeros((1, 8, 8, 1)), jnp.zeros((3, 3, 1, 1))

    def forward(x):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(x, kernel, (2, 2), "VALID", dimension_numbers=numbers)

    value = count(jax.make_jaxpr(forward)(x)).flops
    pull = jax.make_jaxpr(lambda x, g: jax.vjp(forward, x)[1](g))(x, forward(x))
    # The gradient goes over 8 x 8 places, where three numbers of four are such zeros.
    assert value == 2 * 9 * 9 and count(pull).flops - value == 2 * 9 * 64 / 4


@pytest.mark.parametrize("which", ["reference", "native"])
def test_a_long_short_term_memory(which):
    batch, steps, features, units = 2, 5, 3, 4
    with native.kernels(which):
        traced, _ = program(layers.LSTM(units, return_sequences=True), (batch, steps, features))
        found, once = count(traced), count(traced, loops=False)
    products = 2 * batch * steps * (features + units) * 4 * units
    # Gates: bias, 3 sigmoids, 2 tanh and 4 products or sums each number, about.
    assert products <= found.flops < products + 24 * batch * steps * 4 * units
    weights = 4 * units * (features + units + 1)
    ends = batch * steps * (features + units)
    assert found.bytes >= F * (weights + ends)
    assert once.flops <= found.flops


@pytest.mark.parametrize("which", ["reference", "native"])
def test_attention(which):
    batch, queries, keys, heads, width = 2, 6, 5, 3, 4
    with native.kernels(which):
        layer = layers.MultiHeadAttention(heads, width, use_bias=False)
        traced, weights = program(layer, (batch, queries, 8), (batch, keys, 8))
        found = count(traced)
    assert weights == 4 * 8 * heads * width
    inner = heads * width
    projections = 2 * batch * 8 * inner * (2 * queries + 2 * keys)  # q, output, k, v
    products = 2 * (2 * batch * heads * queries * keys * width)
    softmax = batch * heads * queries * keys
    assert projections + products < found.flops <= projections + products + 12 * softmax


def test_loops_are_multiplied_out_or_count_once():
    def run(x):
        return jax.lax.scan(lambda c, _: (c @ c, None), x, None, length=7)[0]

    traced = jax.make_jaxpr(run)(jnp.zeros((4, 4)))
    assert count(traced).flops == 7 * 2 * 4**3 and count(traced, loops=False).flops == 2 * 4**3
    assert count(traced).operations == 7


def test_slices_of_a_loop_are_read_once():
    def run(x):
        return jax.lax.scan(lambda c, row: (c + row, c * 2), jnp.zeros(8), x)

    found = count(jax.make_jaxpr(run)(jnp.zeros((100, 8))))
    carried, rows = 2 * 100 * 8, 2 * 100 * 8  # read and written at each step; in and out
    assert found.bytes == F * (carried + rows)


def test_an_update_reads_and_writes_the_state_once():
    def step(w, m, x):
        m = 0.9 * m + x.T @ x[:, :4]
        return w - 0.1 * m, m

    found = count(jax.make_jaxpr(step)(*[jnp.zeros(s) for s in ((8, 4), (8, 4), (2, 8))]))
    # The product with x gives the gradient; it may write one of the two results in its place.
    product = 2 * 8 + 2 * 4 + 8 * 4
    assert found.bytes == F * (product + 2 * 8 * 4 + 8 * 4)


def test_the_largest_result_is_found_in_programs_that_are_called_too():
    @jax.jit
    def inner(x):
        return jnp.outer(x, x).sum()

    traced = jax.make_jaxpr(lambda x: inner(x[:6]) + x[0])(jnp.zeros(100))
    assert largest(traced) == F * 6 * 6  # not what is given
    assert largest(jax.make_jaxpr(lambda x: x)(jnp.zeros(3))) == 0


def test_rows_that_are_picked_count_not_the_table():
    found = count(jax.make_jaxpr(lambda t, i: t[i])(jnp.zeros((10000, 8)), jnp.zeros(3, int)))
    assert found.bytes < 10 * F * 3 * 8 and found.operations == 1


def test_products_of_short_floats_are_told_apart():
    a = jnp.zeros((4, 4), "bfloat16")
    found = count(jax.make_jaxpr(lambda a, b: (a @ a, b @ b))(a, a.astype("float32")))
    assert found.flops == 2 * found.low == 2 * 2 * 4**3


@pytest.mark.parametrize("extent", [0, 1, LEVELS[0], LEVELS[1] - 1, LEVELS[2], 2 * LEVELS[-1]])
def test_traffic_lies_in_the_level_that_the_data_reach(extent):
    found = moved(12.0, extent)
    level = found.index(12.0)
    assert sum(found) == 12 and (level == 0 or LEVELS[level] <= extent)
    assert level == len(LEVELS) - 1 or extent < LEVELS[level + 1]


def test_costs_add_up_and_survive_json():
    one = Cost(2.0, 1, 1.0, 3.0, (1.0, 0.0, 0.0, 0.0, 5.0))
    both = NOTHING.plus(one, 4)
    assert (both.flops, both.low, both.operations, both.bytes) == (8, 4, 12, 24)
    assert both.convolutions == 1
    assert Cost(*np.asarray([2.0, 1], object)).bytes == 0
    assert Cost(*list(one)).bytes == one.bytes
