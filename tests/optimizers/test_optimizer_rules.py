"""Every rule and option, run beside Keras on the same gradients."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from optimizer_cases import (
    RULES,
    WITH_OPTIONS,
    apply_keras,
    gradients,
    label,
    ours,
    plain,
    theirs,
)

from slipstream import optimizers
from slipstream.core.variable import Variable

STEPS = 24


@pytest.mark.parametrize("case", RULES + WITH_OPTIONS, ids=label)
def test_weights_and_state_follow_keras(case):
    optimizer, weights = ours(*case)
    reference, expected = theirs(*case)
    for grads in gradients(STEPS):
        optimizer.apply(grads, weights)
    apply_keras(reference, expected, gradients(STEPS))
    # Newton-Schulz steps enlarge the rounding of small singular values.
    # What a schedule-free rule divides by starts from the squares of one gradient.
    tolerance = {"Muon": 1e-4, "ScheduleFreeAdamW": 4e-6}.get(case[0], 1e-6)
    for got, wanted in zip(weights, expected):
        scale = np.abs(plain(wanted)).max()
        np.testing.assert_allclose(plain(got), plain(wanted), rtol=0, atol=tolerance * scale)
    assert int(optimizer.iterations) == int(reference.iterations)
    # Keras' Lion takes 1 - beta_2 in float32.
    tolerance = max(tolerance, 2e-6)
    for got, wanted in zip(optimizer.variables, reference.variables, strict=True):
        if case[0] == "Adafactor" and got.name == "kernel_velocity":
            continue  # follows from rows and columns; we do not keep it
        scale = max(np.abs(plain(wanted)).max(), 1e-6)
        np.testing.assert_allclose(plain(got), plain(wanted), rtol=0, atol=tolerance * scale)


@pytest.mark.parametrize("name", ["Lamb", "Adafactor", "Muon", "Ftrl"])
def test_zeros_single_rows_and_more_axes_follow_keras(name):
    random = np.random.default_rng(0)
    shapes = {"tok_Embeddings": (4, 3), "conv": (2, 2, 3, 4), "row": (1, 5), "tall": (6, 2)}
    start = {key: random.normal(size=shape).astype("float32") for key, shape in shapes.items()}
    start["row"][:] = 0
    steps = [[random.normal(size=s).astype("float32") for s in shapes.values()] for _ in range(3)]
    steps[0] = [np.zeros_like(grad) for grad in steps[0]]
    options = {"learning_rate": 0.1, "weight_decay": 0.1}
    optimizer = getattr(optimizers, name)(**options)
    reference = getattr(keras.optimizers, name)(**options)
    weights = [Variable(value, name=key) for key, value in start.items()]
    expected = [keras.Variable(value, name=key) for key, value in start.items()]
    for grads in steps:
        optimizer.apply(grads, weights)
    apply_keras(reference, expected, steps)
    for got, wanted in zip(weights, expected):
        np.testing.assert_allclose(plain(got), plain(wanted), rtol=1e-4, atol=1e-5)


def test_an_infinite_norm_of_all_gradients_shows_everywhere():
    results = []
    for optimizer, weights in (pair("SGD", {"global_clipnorm": 1.0}) for pair in (ours, theirs)):
        grads = [jnp.asarray(grad) for grad in gradients(1)[0]]
        optimizer.apply([*grads[:2], jnp.asarray(np.inf, "float32")], weights)
        results.append([plain(weight) for weight in weights])
    for got, wanted in zip(*results):
        np.testing.assert_array_equal(got, wanted)
        assert np.isnan(got).all()
