"""Streaming: any batches give the same, rows of weight 0 give nothing, compiled as eagerly."""

from __future__ import annotations

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from metric_cases import COMPILED, Case, rows

from slipstream import metrics

ROWS = 6


def built(case, y_true, y_pred):
    metric = case.make(metrics)
    if not metric.built:
        metric.build(y_true.shape, y_pred.shape)
    return metric


def poisoned(array, keep):
    """The array with rows that must not be looked at: nan, or a class that does not exist."""
    array = np.array(array)
    array[~keep] = np.nan if array.dtype.kind == "f" else 99
    return array


@pytest.mark.parametrize("case", COMPILED, ids=str)
def test_compiled_batches_padded_with_nonsense_add_up_to_the_whole(case):
    y_true, y_pred = rows(case.data, ROWS, 0)
    metric = built(case, y_true, y_pred)
    assert metric.per_example
    zeros = metric.stateless_reset_state()
    update = jax.jit(metric.stateless_update_state)
    metric.update_state(y_true, y_pred)
    whole = [np.asarray(variable.value) for variable in metric.variables]

    @settings(max_examples=8, deadline=None)
    @given(st.lists(st.integers(0, 2), min_size=ROWS, max_size=ROWS))
    def check(batch_of_row):
        state = zeros
        for batch in range(3):
            keep = np.array(batch_of_row) == batch
            state = update(
                state, poisoned(y_true, keep), poisoned(y_pred, keep), keep.astype("float32")
            )
        for variable, value, wanted in zip(metric.variables, state, whole):
            np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-5, err_msg=variable.path)

    check()


@pytest.mark.parametrize(
    "case",
    [
        Case("MeanSquaredError", "vectors", {}),
        Case("RootMeanSquaredError", "column", {}),
        Case("AUC", "binary", {"num_thresholds": 10}),
        Case("R2Score", "real", {"num_regressors": 2}),
        Case("F1Score", "several", {"threshold": 0.5}),
        Case("Precision", "several", {"top_k": 2}),
        Case("MeanIoU", "maps", {"num_classes": 4}),
    ],
    ids=str,
)
def test_any_division_into_batches_gives_the_same_result(case):
    y_true, y_pred = rows(case.data, 9, 0)
    wanted = case.make(metrics)(y_true, y_pred)
    metric = case.make(metrics)

    @settings(max_examples=6, deadline=None)
    @given(st.permutations([1, 1, 1, 1, 1, 4]))
    def check(sizes):
        metric.reset_state()
        ends = np.cumsum(sizes)
        for start, end in zip(ends - sizes, ends):
            metric.update_state(y_true[start:end], y_pred[start:end])
        np.testing.assert_allclose(metric.result(), wanted, rtol=1e-5)

    check()


@pytest.mark.parametrize("case", COMPILED, ids=str)
def test_without_data_the_result_is_zero_and_silent(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh = case.make(metrics).result()
        later = built(case, *rows(case.data, ROWS, 0)).result()
    wanted = np.nan if case.name == "R2Score" else 0.0
    np.testing.assert_array_equal(fresh, np.full(np.shape(fresh), wanted))
    np.testing.assert_array_equal(later, np.full(np.shape(later), wanted))


def test_result_is_traced_with_the_state():
    metric = metrics.R2Score(num_regressors=1)
    metric.build((4, 2), (4, 2))
    data = np.eye(4, 2), np.eye(4, 2) / 2
    state = metric.stateless_update_state(metric.stateless_reset_state(), *data)
    compiled = jax.jit(metric.stateless_result)(state)
    assert all(not np.any(variable.numpy()) for variable in metric.variables)
    metric.update_state(*data)
    np.testing.assert_allclose(compiled, metric.result(), rtol=1e-6)


def test_an_unbuilt_metric_in_a_program_says_that_it_is_not_carried():
    metric = metrics.F1Score()
    with pytest.raises(ValueError, match="does not carry it"):
        jax.jit(lambda y: metric.update_state(y, y))(jnp.eye(3))


def test_the_update_of_an_area_grows_with_the_data_not_times_the_thresholds():
    metric = metrics.AUC(num_thresholds=1000)
    state, size = metric.stateless_reset_state(), 100_000
    data = jax.ShapeDtypeStruct((size,), jnp.float32)
    program = jax.jit(metric.stateless_update_state).lower(state, data, data).compile()
    assert program.memory_analysis().temp_size_in_bytes < 40 * size
