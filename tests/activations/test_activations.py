"""Activations beside Keras': values, gradients, types, symbolic tensors."""

import inspect

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import slipstream.activations as activations
from slipstream.core.scope import attached
from slipstream.core.symbol import SymbolicTensor
from slipstream.core.variable import Variable

POINTS = np.array(
    [-100, -6.5, -3, -2, -1, -0.7, -0.5, 0, 0.3, 0.5, 1, 2, 3, 5, 6.5, 100], "float32"
)
# Away from the corners, where a gradient is a choice.
SMOOTH = np.array([-20, -4.3, -2.2, -0.71, -0.31, 0.13, 0.37, 0.83, 1.7, 2.6, 4.1, 7.3], "float32")
TABLE = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
ELEMENTWISE = [
    ("linear", {}),
    ("relu", {}),
    ("relu", {"negative_slope": 0.1, "max_value": 3.0, "threshold": 1.0}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"negative_slope": 0.5}),
    ("relu", {"max_value": 2.5}),
    ("relu6", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.3}),
    ("elu", {"alpha": 1.3}),
    ("selu", {}),
    ("celu", {"alpha": 1.3}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("hard_silu", {}),
    ("mish", {}),
    ("sigmoid", {}),
    ("hard_sigmoid", {}),
    ("sparse_sigmoid", {}),
    ("log_sigmoid", {}),
    ("tanh", {}),
    ("hard_tanh", {}),
    ("tanh_shrink", {}),
    ("hard_shrink", {}),
    ("hard_shrink", {"threshold": 2.0}),
    ("soft_shrink", {}),
    ("soft_shrink", {"threshold": 2.0}),
    ("softplus", {}),
    ("sparse_plus", {}),
    ("squareplus", {}),
    ("squareplus", {"b": 1.0}),
    ("softsign", {}),
    ("exponential", {}),
    ("threshold", {"threshold": 0.4, "default_value": -7.0}),
]
ALONG = [
    ("softmax", {}),
    ("softmax", {"axis": 1}),
    ("softmax", {"axis": (0, 2)}),
    ("log_softmax", {}),
    ("log_softmax", {"axis": [1, 2]}),
    ("glu", {}),
    ("glu", {"axis": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), ELEMENTWISE, ids=str)
def test_elementwise_values_and_gradients_are_those_of_keras(name, arguments):
    def mine(x):
        return getattr(activations, name)(x, **arguments)

    def theirs(x):
        return getattr(keras.activations, name)(x, **arguments)

    # Keras rounds 1 + tanh and multiplies points of up to 10 with it.
    atol = 1e-6 if arguments.get("approximate") else 1e-7
    np.testing.assert_allclose(mine(POINTS), np.asarray(theirs(POINTS)), rtol=1e-6, atol=atol)
    gradient = jax.grad(lambda x: mine(x).sum())(SMOOTH)
    with jax.enable_x64(True):  # in float32 some slopes of Keras lose digits
        wanted = jax.grad(lambda x: theirs(x).sum())(np.asarray(SMOOTH, "d"))
        assert wanted.dtype == "float64"
    np.testing.assert_allclose(gradient, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "arguments"), ALONG, ids=str)
def test_values_and_gradients_along_an_axis_are_those_of_keras(name, arguments):
    def mine(x):
        return getattr(activations, name)(x, **arguments)

    def theirs(x):
        wanted = {k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()}
        return getattr(keras.activations, name)(x, **wanted)

    np.testing.assert_allclose(mine(TABLE), np.asarray(theirs(TABLE)), rtol=1e-5, atol=1e-6)
    gradient, wanted = (jax.grad(lambda x, f=f: (f(x) ** 2).sum())(TABLE) for f in (mine, theirs))
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-4, 4, width=32), min_size=4, max_size=4))
def test_sparsemax_is_the_nearest_point_of_the_simplex(values):
    x = np.array(values, "float64")
    y = np.asarray(activations.sparsemax(x.astype("float32")), "float64")
    assert np.all(y >= 0) and abs(y.sum() - 1) < 1e-5
    # Nearest: no corner of the simplex lies in the direction from y to x.
    assert np.all((np.eye(4) - y) @ (x - y) < 1e-4)


def test_sparsemax_works_on_each_row_of_any_axis():
    rows = np.asarray(activations.sparsemax(TABLE))
    for i, j in [(0, 0), (1, 3), (2, 2)]:
        np.testing.assert_allclose(rows[i, j], activations.sparsemax(TABLE[i, j]), atol=1e-6)
    moved = activations.sparsemax(np.moveaxis(TABLE, -1, 1), axis=1)
    np.testing.assert_allclose(np.moveaxis(moved, 1, -1), rows, atol=1e-6)
    # The gradient of the support is the identity less its mean (Martins & Astudillo 2016).
    x, weight = np.array([0.1, 0.4, -2.0], "float32"), np.array([1.0, 3.0, 5.0], "float32")
    gradient = jax.grad(lambda x: activations.sparsemax(x) @ weight)(x)
    np.testing.assert_allclose(gradient, [-1.0, 1.0, 0.0], atol=1e-6)


EVERY = [*ELEMENTWISE, *ALONG, ("sparsemax", {})]


@pytest.mark.parametrize(("name", "arguments"), EVERY, ids=str)
def test_symbolic_tensors_are_recorded_and_compute_the_same(name, arguments):
    function = getattr(activations, name)
    x = SymbolicTensor((None, 4, 6), "bfloat16")
    y = function(x, **arguments)
    real = function(jnp.asarray(TABLE, "bfloat16"), **arguments)
    assert isinstance(y, SymbolicTensor) and y.dtype == "bfloat16" == real.dtype
    assert y.shape == (None, *real.shape[1:])
    if name == "linear":
        assert y is x
        return
    recorded = y.node.operation
    assert isinstance(recorded.compute(TABLE), jax.Array)
    np.testing.assert_array_equal(recorded.compute(TABLE), function(TABLE, **arguments))


@pytest.mark.parametrize(("name", "arguments"), EVERY, ids=str)
def test_compiled_and_variables_as_well(name, arguments):
    function = getattr(activations, name)
    value = function(TABLE, **arguments)
    compiled = jax.jit(lambda x: function(x, **arguments))(TABLE)
    np.testing.assert_allclose(compiled, value, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(function(Variable(TABLE), **arguments), value)


def test_whole_numbers():
    for name in ("relu", "linear", "threshold"):
        arguments = {"threshold": 0, "default_value": 3} if name == "threshold" else {}
        assert getattr(activations, name)(np.array([-1, 2]), **arguments).dtype == "int32"
    for name in ("sigmoid", "silu", "gelu", "softmax", "tanh"):
        assert getattr(activations, name)([-1, 2]).dtype == "float32"


def test_not_a_number_stays_one():
    for name, arguments in ELEMENTWISE:
        if name != "threshold":
            assert np.isnan(getattr(activations, name)(np.array([np.nan]), **arguments))[0], name


def test_relu_of_infinity_is_bounded_by_its_arguments():
    x = np.array([-np.inf, np.inf])
    np.testing.assert_array_equal(activations.relu(x, max_value=3.0), [0.0, 3.0])
    np.testing.assert_array_equal(activations.relu(x, threshold=1.0), [0.0, np.inf])


def test_sigmoid_and_softmax_remember_their_logits():
    x = jnp.asarray(TABLE)
    assert attached(activations.sigmoid(x), "sigmoid_logits") is x
    assert attached(activations.softmax(x), "softmax_logits") is x
    assert attached(activations.softmax(x, axis=2), "softmax_logits") is x
    for other in (activations.softmax(x, axis=1), activations.softmax(x, axis=(1, 2))):
        assert attached(other, "softmax_logits") is None
    seen = []
    jax.jit(lambda x: seen.append(attached(activations.sigmoid(x), "sigmoid_logits") is x))(x)
    assert seen == [True]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in dir(keras.activations)
        if not name.startswith("_") and name not in ("get", "serialize", "deserialize")
    ],
)
def test_names_and_signatures_are_those_of_keras(name):
    mine, theirs = getattr(activations, name), getattr(keras.activations, name)
    assert [(p.name, p.default) for p in inspect.signature(mine).parameters.values()] == [
        (p.name, p.default) for p in inspect.signature(theirs).parameters.values()
    ]
    assert activations.get(name) is mine
    assert activations.serialize(mine) == keras.activations.serialize(theirs)
    assert activations.deserialize(activations.serialize(mine)) is mine


def test_get_takes_none_functions_and_configurations():
    assert activations.get(None) is activations.linear
    assert activations.get(np.sin) is np.sin
    function = {"module": "builtins", "class_name": "function", "config": "relu"}
    assert activations.get({**function, "registered_name": "function"}) is activations.relu


def test_errors_name_what_was_seen_and_what_to_do():
    with pytest.raises(ValueError, match=r"'reluu'.*'relu'"):
        activations.get("reluu")
    with pytest.raises(ValueError, match=r"even.*\(2, 5\)"):
        activations.glu(np.ones((2, 5)))
    with pytest.warns(UserWarning, match="sigmoid for a single output"):
        activations.softmax(np.ones((3, 1)))


@pytest.mark.parametrize(
    "name",
    [
        *("elu", "celu", "gelu", "silu", "mish", "sigmoid", "log_sigmoid", "tanh", "tanh_shrink"),
        *("softplus", "squareplus", "softsign", "exponential"),
    ],
)
def test_smooth_functions_have_the_slope_of_both_sides_at_zero(name):
    function = getattr(activations, name)
    low, high = np.asarray(function(jnp.array([-1e-3, 1e-3])), "float64")
    slope = jax.grad(lambda x: function(x.reshape(1))[0])(jnp.zeros(()))
    np.testing.assert_allclose(slope, (high - low) / 2e-3, atol=2e-3)
