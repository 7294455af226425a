"""Every rule and option, run beside Keras on the same gradients."""

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

STEPS = 24


@pytest.mark.parametrize("case", RULES + WITH_OPTIONS, ids=label)
def test_weights_and_state_follow_keras(case):
    optimizer, weights = ours(*case)
    reference, expected = theirs(*case)
    for grads in gradients(STEPS):
        optimizer.apply(grads, weights)
    apply_keras(reference, expected, gradients(STEPS))
    # Newton-Schulz steps enlarge the rounding of small singular values.
    tolerance = 1e-4 if case[0] == "Muon" else 1e-6
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
