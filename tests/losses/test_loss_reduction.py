"""Reductions, weights and masks beside Keras', and the properties they promise."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from loss_cases import CASES, IDS, ROWS, keras_loss, ours, with_keras_mask

import slipstream.losses as losses
from slipstream.core.scope import attach

REDUCTIONS = ["sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None]
MASK = np.array([True, False, True, True, False, True])
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5, 3.0, 1.5], "float32")
rng = np.random.default_rng(3)
FLAT = (rng.random((6, 4)).astype("float32"), rng.random((6, 4)).astype("float32"))
TIMED = (rng.random((6, 5, 4)).astype("float32"), rng.random((6, 5, 4)).astype("float32"))
TIME_MASK = rng.random((6, 5)) < 0.6


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("data", "weight", "mask"),
    [
        (FLAT, None, None),
        (FLAT, WEIGHTS, None),
        (FLAT, WEIGHTS[:, None], None),
        (FLAT, 2.0, None),
        (FLAT, np.zeros(6), None),
        (FLAT, None, MASK),
        (FLAT, WEIGHTS, MASK),
        (FLAT, WEIGHTS[:, None], MASK),
        (FLAT, WEIGHTS, np.zeros(6, bool)),
        (TIMED, WEIGHTS[:, None], None),
        (TIMED, WEIGHTS[:5], None),
        (TIMED, TIME_MASK + 0.5, None),
        (TIMED, (TIME_MASK + 0.5)[..., None], None),
        (TIMED, None, TIME_MASK),
        (TIMED, WEIGHTS[:, None], TIME_MASK),
        (TIMED, TIME_MASK + 0.5, TIME_MASK),
    ],
    ids=str,
)
def test_reduction_is_that_of_keras(reduction, data, weight, mask):
    y_true, y_pred = data
    theirs = y_pred if mask is None else with_keras_mask(y_pred, mask)
    wanted = keras_loss("MeanSquaredError", reduction=reduction)(y_true, theirs, weight)
    value = ours("MeanSquaredError", reduction=reduction)(y_true, y_pred, weight, mask)
    assert value.shape == wanted.shape
    np.testing.assert_allclose(value, np.asarray(wanted), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_an_ignored_class_leaves_the_divisor_as_in_keras(reduction):
    y_true, y_pred = np.array([0, 1, 2, 1, 0, 3]), FLAT[1]
    for weight, mask in [(None, None), (WEIGHTS, None), (None, MASK), (WEIGHTS, MASK)]:
        theirs = y_pred if mask is None else with_keras_mask(y_pred, mask)
        arguments = {"ignore_class": 1, "reduction": reduction}
        wanted = keras_loss("SparseCategoricalCrossentropy", **arguments)(y_true, theirs, weight)
        value = ours("SparseCategoricalCrossentropy", **arguments)(y_true, y_pred, weight, mask)
        np.testing.assert_allclose(value, np.asarray(wanted), rtol=1e-5, atol=1e-7)


def test_an_attached_mask_is_used_beside_one_that_is_given():
    y_true, y_pred = TIMED[0], jnp.asarray(TIMED[1])
    attach(y_pred, "mask", jnp.asarray(TIME_MASK))
    loss = losses.MeanSquaredError()
    assert float(loss(y_true, y_pred)) == float(loss(y_true, TIMED[1], mask=TIME_MASK))
    both = TIME_MASK & MASK[:, None]
    np.testing.assert_allclose(
        loss(y_true, y_pred, mask=MASK), loss(y_true, TIMED[1], mask=both), rtol=1e-6
    )


def test_a_row_mask_reaches_all_time_steps():
    value = losses.MeanSquaredError()(*TIMED, mask=MASK)
    wanted = losses.MeanSquaredError()(TIMED[0][MASK], TIMED[1][MASK])
    np.testing.assert_allclose(value, wanted, rtol=1e-6)


ROW_CASES = [case for case in CASES if ours(case[0], **case[1]).per_example]
ROW_IDS = [IDS[i] for i, case in enumerate(CASES) if ours(case[0], **case[1]).per_example]


def test_only_losses_over_the_whole_batch_are_not_per_example():
    whole = {IDS[i].split("-", 1)[1] for i in range(len(CASES)) if IDS[i] not in ROW_IDS}
    assert whole == {
        "Dice",
        "Tversky-alpha=0.3-beta=0.6",
        "Circle-gamma=8.0",
        "Circle-gamma=8.0-remove_diagonal=False",
    }


@pytest.mark.parametrize("case", ROW_CASES, ids=ROW_IDS)
def test_masked_rows_change_nothing_whatever_they_hold(case):
    name, arguments, y_true, y_pred = case
    bad = np.where(np.arange(ROWS) % 2, np.nan, np.inf).astype("float32")
    spoilt = np.where(MASK.reshape(-1, *[1] * (y_pred.ndim - 1)), y_pred, 0)
    spoilt = spoilt + np.where(MASK, 0, bad).reshape(-1, *[1] * (y_pred.ndim - 1))
    spoilt = spoilt.astype("float32")
    loss, each = ours(name, **arguments), ours(name, **arguments, reduction="none")

    def kept_mean(p):
        kept = each(y_true, p)[MASK]
        if arguments.get("ignore_class") is None:
            return kept.mean()
        return kept.sum() / np.sum(y_true[MASK] != arguments["ignore_class"])

    masked = jax.jit(jax.value_and_grad(lambda p: loss(y_true, p, mask=MASK)))
    value, gradient = masked(jnp.asarray(spoilt))
    wanted, wanted_gradient = jax.jit(jax.value_and_grad(kept_mean))(jnp.asarray(y_pred))
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(gradient[MASK], wanted_gradient[MASK], rtol=1e-4, atol=1e-6)
    assert not np.any(gradient[~MASK])


@pytest.mark.parametrize(
    "name",
    ["MeanSquaredError", "BinaryCrossentropy", "Huber", "LogCosh", "Poisson", "SquaredHinge"],
)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_mask_takes_rows_out_of_a_batch_of_single_numbers(name, reduction):
    y_true, y_pred = (rng.random(6).astype("float32").round(i) for i in (0, 3))
    loss = ours(name, reduction=reduction)
    value = loss(y_true, y_pred, mask=MASK)
    np.testing.assert_allclose(value, loss(y_true[MASK], y_pred[MASK]), rtol=1e-5)
    spoilt = np.where(MASK, y_pred, np.nan)
    gradient = jax.grad(lambda p: loss(y_true, p, mask=MASK))(spoilt)
    wanted = jax.grad(lambda p: loss(y_true[MASK], p))(y_pred[MASK])
    np.testing.assert_allclose(gradient[MASK], wanted, rtol=1e-5)
    assert not np.any(gradient[~MASK])
    weighted = loss(y_true, y_pred, WEIGHTS, mask=MASK)
    unmasked = loss(y_true[MASK], y_pred[MASK], WEIGHTS[MASK])
    if reduction in ("none", None):
        weighted = weighted[MASK]
    np.testing.assert_allclose(weighted, unmasked, rtol=1e-5)


def test_a_users_function_over_the_batch_sees_masked_rows_as_in_keras():
    def centred(y_true, y_pred):
        return jnp.mean((y_true - (y_pred - jnp.mean(y_pred, 0))) ** 2, -1)

    mine, theirs = losses.LossFunctionWrapper(centred), keras_loss("MeanSquaredError")
    theirs.fn = centred
    wanted = theirs(FLAT[0], with_keras_mask(FLAT[1], MASK))
    np.testing.assert_allclose(mine(*FLAT, mask=MASK), np.asarray(wanted), rtol=1e-5)


def test_nan_in_a_masked_row_does_not_leak_through_a_users_function():
    loss = losses.LossFunctionWrapper(lambda y, p: jnp.mean(jnp.abs(y - p) ** 1.5, -1))
    spoilt = np.where(MASK[:, None], FLAT[1], np.nan)
    value, gradient = jax.value_and_grad(lambda p: loss(FLAT[0], p, mask=MASK))(spoilt)
    np.testing.assert_allclose(value, loss(FLAT[0][MASK], FLAT[1][MASK]), rtol=1e-6)
    assert np.isfinite(gradient).all() and not np.any(gradient[~MASK])


class Overridden(losses.MeanSquaredError):
    def call(self, y_true, y_pred):
        return super().call(y_true, y_pred)


class OwnFunction(losses.MeanSquaredError):
    def fn(self, y_true, y_pred):
        return jnp.sum(y_true - y_pred, -1)


class Promised(losses.Loss):
    per_example = True

    def call(self, y_true, y_pred):
        return (y_true - y_pred) ** 2


class Renamed(losses.MeanSquaredError):
    pass


@pytest.mark.parametrize(
    ("loss", "wanted"),
    [
        (losses.MeanSquaredError(), True),
        (Renamed(), True),
        (Overridden(), False),
        (OwnFunction(), False),
        (Promised(), True),
        (losses.LossFunctionWrapper(losses.mean_squared_error), True),
        (losses.LossFunctionWrapper(losses.binary_crossentropy, axis=0), False),
        (losses.LossFunctionWrapper(lambda y, p: y), False),
        (losses.BinaryCrossentropy(axis=0), False),
        (losses.CategoricalCrossentropy(axis=-2), False),
        (losses.CategoricalCrossentropy(axis=1), True),
        (losses.Dice(), False),
        (losses.Dice(axis=(1, 2)), True),
        (losses.Circle(), False),
        (losses.CTC(), True),
    ],
    ids=str,
)
def test_per_example_says_whether_rows_stand_alone(loss, wanted):
    assert loss.per_example is wanted


def test_overridden_parts_are_the_ones_that_run():
    np.testing.assert_allclose(Overridden()(*FLAT), losses.MeanSquaredError()(*FLAT))
    assert float(OwnFunction()(np.ones((2, 3)), np.zeros((2, 3)))) == 3.0
    assert float(Promised()(np.ones(3), np.array([0.0, 1.0, np.nan]), mask=[1, 1, 0])) == 0.5


# ---- properties ------------------------------------------------------------------------------

numbers = st.floats(-3, 3, width=32)
SHAPE = (5, 3)
arrays = st.lists(numbers, min_size=15, max_size=15).map(
    lambda values: np.array(values, "float32").reshape(SHAPE)
)
quick = settings(max_examples=25, deadline=None)
NON_NEGATIVE = [
    ("MeanSquaredError", lambda y, p: (y, p)),
    ("MeanAbsoluteError", lambda y, p: (y, p)),
    ("Huber", lambda y, p: (y, p)),
    ("LogCosh", lambda y, p: (y, p)),
    ("Hinge", lambda y, p: (y > 0, p)),
    ("CategoricalHinge", lambda y, p: (np.eye(3)[np.argmax(y, -1)], p)),
    ("BinaryCrossentropy", lambda y, p: (y > 0, 1 / (1 + np.exp(-p)))),
    ("SparseCategoricalCrossentropy", lambda y, p: (np.argmax(y, -1), np.exp(p))),
    ("Dice", lambda y, p: (y > 0, 1 / (1 + np.exp(-p)))),
]


@pytest.mark.parametrize(("name", "prepare"), NON_NEGATIVE)
@quick
@given(y_true=arrays, y_pred=arrays, data=st.data())
def test_values_are_not_negative_and_rows_may_be_permuted(name, prepare, y_true, y_pred, data):
    y_true, y_pred = prepare(y_true, y_pred)
    loss = ours(name)
    assert np.all(np.asarray(ours(name, reduction="none")(y_true, y_pred)) >= -1e-6)
    order = np.array(data.draw(st.permutations(range(len(y_pred)))))
    np.testing.assert_allclose(
        loss(y_true[order], y_pred[order]), loss(y_true, y_pred), rtol=1e-5, atol=1e-6
    )


@quick
@given(
    y_true=arrays,
    y_pred=arrays,
    keep=st.lists(st.booleans(), min_size=5, max_size=5).filter(any),
    reduction=st.sampled_from(REDUCTIONS[:4]),
)
def test_weights_of_zero_and_masks_are_removal(y_true, y_pred, keep, reduction):
    keep = np.array(keep)
    loss = losses.MeanSquaredError(reduction=reduction)
    removed = loss(y_true[keep], y_pred[keep])
    np.testing.assert_allclose(loss(y_true, y_pred, mask=keep), removed, rtol=1e-5, atol=1e-6)
    if reduction in ("sum", "mean_with_sample_weight"):
        np.testing.assert_allclose(loss(y_true, y_pred, keep), removed, rtol=1e-5, atol=1e-6)
