"""Gradients of every loss beside Keras', and values and gradients at the edges."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from loss_cases import CASES, IDS, keras_loss, ours

import slipstream.losses as losses


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradients_equal_those_of_keras(case):
    name, arguments, y_true, y_pred = case
    if name == "Circle" and arguments.get("remove_diagonal") is False:
        pytest.skip("the similarity of an example with itself sits on the edge of a clip")
    mine, theirs = ours(name, **arguments), keras_loss(name, **arguments)
    gradient = jax.jit(jax.grad(lambda p: mine(y_true, p)))(jnp.asarray(y_pred))
    wanted = jax.jit(jax.grad(lambda p: theirs(y_true, p)))(jnp.asarray(y_pred))
    np.testing.assert_allclose(gradient, wanted, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize(
    ("name", "y_true", "y_pred"),
    [
        ("binary_crossentropy", [[1.0, 0.0, 1.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]]),
        ("binary_focal_crossentropy", [[1.0, 0.0, 1.0, 0.0]], [[0.0, 1.0, 1.0, 0.0]]),
        ("categorical_crossentropy", [[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]),
        ("categorical_focal_crossentropy", [[1.0, 0.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]),
        ("sparse_categorical_crossentropy", [0, 0, 2, -1], [[0.0, 1.0], [1.0, 0.0]] * 2),
        ("kl_divergence", [[0.0, 1.0, 2.0]], [[0.5, 0.0, 3.0]]),
        ("poisson", [[2.0, 0.0]], [[0.0, 0.0]]),
        ("mean_absolute_percentage_error", [[0.0, 0.0]], [[1.0, -2.0]]),
        ("mean_squared_logarithmic_error", [[-2.0, 0.0]], [[-0.5, 3.0]]),
        ("log_cosh", [[1000.0, 0.0]], [[0.0, 1000.0]]),
        ("cosine_similarity", [[0.0, 0.0], [1e-9, 0.0]], [[1.0, 0.0], [1.0, 0.0]]),
        ("hinge", [[0.0, -1.0, 1.0]], [[0.3, 0.4, 0.5]]),
        ("dice", [[0.0, 0.0]], [[0.0, 0.0]]),
        ("tversky", [[0.0, 0.0]], [[0.0, 0.0]]),
        ("circle", [0, 1, 2], [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]),
        ("circle", [1, 1, 1], [[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]),
        ("circle", [0, 1, 0, 1], [[3.0, 0.0], [0.0, 2.0], [0.6, 0.8], [1.0, 1.0]]),
    ],
)
def test_functions_equal_those_of_keras_at_the_edges(name, y_true, y_pred):
    y_true, y_pred = np.array(y_true), np.array(y_pred, "float32")
    values, gradient = jax.value_and_grad(lambda p: getattr(losses, name)(y_true, p).sum())(y_pred)
    wanted = np.asarray(getattr(keras.losses, name)(y_true, y_pred)).sum()
    np.testing.assert_allclose(values, wanted, rtol=1e-5, atol=1e-6)
    assert np.isfinite(gradient).all()
