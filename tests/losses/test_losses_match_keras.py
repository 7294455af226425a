"""Every loss beside Keras': values, gradients, shapes."""

import jax.numpy as jnp
import keras
import numpy as np
import pytest
from loss_cases import (
    CASES,
    IDS,
    LABELS,
    LOGITS,
    NORMAL,
    ONE_HOT,
    REGIONS,
    SIMPLEX,
    keras_loss,
    ours,
)

import slipstream.losses as losses

REDUCTION = {"reduction": "none"}


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_values_equal_those_of_keras(case):
    name, arguments, y_true, y_pred = case
    values = ours(name, **arguments, **REDUCTION)(y_true, y_pred)
    wanted = np.asarray(keras_loss(name, **arguments, **REDUCTION)(y_true, y_pred))
    assert values.shape == wanted.shape and values.dtype == wanted.dtype
    np.testing.assert_allclose(values, wanted, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        ((6,), (6, 1)),
        ((6, 1), (6,)),
        ((6,), (6,)),
        ((6, 3), (6, 3, 1)),
        ((6, 3, 1), (6, 3)),
        ((6, 1), (6, 4)),
        ((6, 3, 2), (6, 3, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("reduction", ["none", "sum", "sum_over_batch_size"])
def test_ranks_are_matched_as_in_keras(y_true, y_pred, reduction):
    rng = np.random.default_rng(0)
    y_true, y_pred = (rng.random(shape).astype("float32") for shape in (y_true, y_pred))
    value = losses.MeanSquaredError(reduction=reduction)(y_true, y_pred)
    wanted = keras.losses.MeanSquaredError(reduction=reduction)(y_true, y_pred)
    assert value.shape == wanted.shape
    np.testing.assert_allclose(value, np.asarray(wanted), rtol=1e-6)


def test_class_axis_may_be_any_axis():
    y_true, logits = REGIONS[..., 0].astype("int32"), np.moveaxis(REGIONS * 3 - 1, -1, 1)
    moved = losses.sparse_categorical_crossentropy(y_true, logits, from_logits=True, axis=1)
    last = losses.sparse_categorical_crossentropy(y_true, REGIONS * 3 - 1, from_logits=True)
    np.testing.assert_allclose(moved, last, rtol=1e-6)


def test_circle_compares_with_given_references():
    y_pred, references = SIMPLEX / np.linalg.norm(SIMPLEX, axis=-1, keepdims=True), NORMAL[:4]
    references = references / np.linalg.norm(references, axis=-1, keepdims=True)
    for diagonal in (True, False):
        arguments = {"ref_labels": LABELS[:4], "ref_embeddings": references, "gamma": 8}
        value = losses.circle(LABELS, y_pred, remove_diagonal=diagonal, **arguments)
        wanted = keras.losses.circle(LABELS, y_pred, remove_diagonal=diagonal, **arguments)
        np.testing.assert_allclose(value, np.asarray(wanted), rtol=1e-5, atol=1e-5)


def test_structures_are_passed_to_call_as_they_are():
    class Both(losses.Loss):
        def call(self, y_true, y_pred):
            return sum(jnp.mean((y_true[k] - y_pred[k]) ** 2, -1) for k in y_true)

    value = Both()({"a": NORMAL, "b": [[1.0]] * 6}, {"a": LOGITS, "b": np.zeros((6, 1))})
    np.testing.assert_allclose(value, np.mean((NORMAL - LOGITS) ** 2) + 1, rtol=1e-6)


def test_a_loss_computes_in_its_own_type():
    half = jnp.asarray(SIMPLEX, "bfloat16")
    assert losses.MeanSquaredError()(ONE_HOT, half).dtype == "float32"
    assert losses.MeanSquaredError(dtype="bfloat16")(ONE_HOT, SIMPLEX).dtype == "bfloat16"
    # 1 - epsilon is 1 in bfloat16: the logarithm must not see it.
    wrong = losses.binary_crossentropy(jnp.zeros((1, 2)), jnp.ones((1, 2), "bfloat16"))
    np.testing.assert_allclose(wrong, 15.94, rtol=0.02)
