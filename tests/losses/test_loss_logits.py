"""Losses on the output of a sigmoid or softmax compute from the logits behind it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import slipstream.losses as losses
from slipstream.activations import sigmoid, softmax

LARGE = np.array([[-100.0, 100.0, -30.0, 30.0], [0.0, 1.0, -2.0, 3.0]], "float32")
BITS = np.array([[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 1.0, 0.0]], "float32")
LABELS = np.array([0, 3])
ONE_HOT = np.eye(4, dtype="float32")[LABELS]
PAIRS = [
    ("BinaryCrossentropy", {}, BITS, sigmoid),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, BITS, sigmoid),
    ("BinaryFocalCrossentropy", {"gamma": 1.5}, BITS, sigmoid),
    ("CategoricalCrossentropy", {}, ONE_HOT, softmax),
    ("CategoricalCrossentropy", {"axis": 1}, ONE_HOT, softmax),
    ("CategoricalFocalCrossentropy", {"gamma": 0.5}, ONE_HOT, softmax),
    ("SparseCategoricalCrossentropy", {}, LABELS, softmax),
    ("SparseCategoricalCrossentropy", {"ignore_class": 3}, LABELS, softmax),
]


@pytest.mark.parametrize(("name", "arguments", "y_true", "activation"), PAIRS)
@pytest.mark.parametrize("mask", [None, [True, False]])
@pytest.mark.parametrize("compiled", [False, True])
def test_the_output_of_an_activation_counts_as_its_logits(
    name, arguments, y_true, activation, mask, compiled
):
    loss = getattr(losses, name)(**arguments)
    on_logits = getattr(losses, name)(**arguments, from_logits=True)

    def through(x):
        return loss(y_true, activation(x), mask=mask)

    run = jax.jit(jax.value_and_grad(through)) if compiled else jax.value_and_grad(through)
    value, gradient = run(LARGE)
    wanted, wanted_gradient = jax.value_and_grad(lambda x: on_logits(y_true, x, mask=mask))(LARGE)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    np.testing.assert_allclose(gradient, wanted_gradient, rtol=1e-6, atol=1e-9)
    assert np.isfinite(gradient).all()


def test_wrong_by_a_hundred_costs_a_hundred_and_still_teaches():
    def cost(x):
        return losses.BinaryCrossentropy()(np.ones((1, 1)), sigmoid(x))

    value, gradient = jax.value_and_grad(cost)(jnp.full((1, 1), -100.0))
    assert float(value) == 100.0 and float(gradient[0, 0]) == -1.0
    # The same probability as a plain array is clipped and gives no gradient.
    value, gradient = jax.value_and_grad(
        lambda x: losses.BinaryCrossentropy()(np.ones((1, 1)), jax.nn.sigmoid(x))
    )(jnp.full((1, 1), -100.0))
    assert 16 < float(value) < 17 and float(gradient[0, 0]) == 0.0
    value, gradient = jax.value_and_grad(
        lambda x: losses.SparseCategoricalCrossentropy()(np.array([0]), softmax(x))
    )(jnp.array([[-100.0, 100.0]]))
    assert float(value) == 200.0
    np.testing.assert_array_equal(gradient, [[-1.0, 1.0]])


@pytest.mark.parametrize("name", ["BinaryCrossentropy", "BinaryFocalCrossentropy"])
def test_small_costs_keep_their_digits(name):
    x = np.array([[17.0, -17.0]])
    value = getattr(losses, name)(gamma=0.0) if "Focal" in name else getattr(losses, name)()
    exact = np.mean(np.log1p(np.exp(-np.abs(x))))
    got = value(np.array([[1.0, 0.0]]), sigmoid(x))
    np.testing.assert_allclose(got, exact, rtol=1e-5)


def test_logits_follow_through_types_and_ranks():
    logits = jnp.full((2, 3, 1), -100.0, "bfloat16")
    loss = losses.BinaryCrossentropy()
    assert float(loss(np.ones((2, 3)), sigmoid(logits))) == 100.0
    assert float(loss(np.ones((2, 3, 1)), sigmoid(logits))) == 100.0
    wide = jnp.full((4, 1), -100.0)
    assert float(loss(np.ones(4), sigmoid(wide))) == 100.0
    # In a batch of single numbers, beside a mask.
    assert float(loss(np.ones(4), sigmoid(wide[:, 0]), mask=[1, 0, 1, 1])) == 100.0


def test_a_changed_output_no_longer_stands_for_its_logits():
    y_true, x = ONE_HOT, jnp.asarray(LARGE)
    scaled = softmax(x) * 0.5 + 0.125
    plain = losses.CategoricalCrossentropy()(y_true, np.asarray(scaled))
    np.testing.assert_allclose(losses.CategoricalCrossentropy()(y_true, scaled), plain)
    # Nor does a softmax along another axis than the classes'.
    across = softmax(x, axis=0)
    plain = losses.CategoricalCrossentropy()(y_true, np.asarray(across))
    np.testing.assert_allclose(losses.CategoricalCrossentropy()(y_true, across), plain)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("logits", [True, False])
def test_a_logit_of_exactly_zero_teaches_the_difference_of_probability_and_target(compiled, logits):
    # A network whose last layer sees only dead units, or begins at zero, gives such logits.
    targets = np.array([[0.0], [1.0], [0.25]], "float32")
    loss = losses.BinaryCrossentropy(from_logits=logits, reduction="sum")

    def cost(x):
        return loss(targets, x if logits else sigmoid(x))

    gradient = (jax.jit(jax.grad(cost)) if compiled else jax.grad(cost))(np.zeros((3, 1), "f"))
    np.testing.assert_allclose(gradient, 0.5 - targets, atol=1e-7)
